import { Body, Controller, Get, HttpCode, Param, Post, Req, Res } from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { z } from 'zod';
import { rowIdSchema } from '../accounts/account-schemas.js';
import type { Problem } from '../http/problem.js';
import { IdempotencyKey } from '../http/request-parameters.js';
import {
  AcceptsIdempotencyKey,
  ApiProblems,
  ReadAnswer,
  TenantRoute,
  WriteAnswer,
} from '../http/route-decorators.js';
import { keyOf } from '../idempotency/idempotency-keys.js';
import { sendAnswer } from '../idempotency/send-answer.js';
import { batchResultOf, type BatchResult } from './batch-result.js';
import {
  newTransferSchema,
  postTransferSchema,
  transferBatchResultSchema,
  transferBatchSchema,
  voidTransferSchema,
} from './transfer-schemas.js';
import { transferViewSchema, type TransferView } from './transfer-view.js';
import { TransfersService } from './transfers.service.js';

const MULTI_STATUS = 207;

/** Transfers over HTTP. */
@ApiTags('Transfers')
@TenantRoute()
@Controller('v1/transfers')
export class TransfersController {
  readonly #transfers: TransfersService;

  constructor(transfers: TransfersService) {
    this.#transfers = transfers;
  }

  @Post()
  @AcceptsIdempotencyKey()
  @ApiOperation({
    summary: 'Transfer',
    description: 'With `pending` the amount is only held, until it is posted, voided or expires.',
  })
  @WriteAnswer(201, transferViewSchema, 'The transfer')
  @ApiProblems(
    'not_found',
    'account_frozen',
    'account_closed',
    'currency_mismatch',
    'same_account',
    'insufficient_funds',
    'amount_out_of_range',
    'idempotency_key_reused',
    'overloaded',
    'two_phase_unavailable',
  )
  async transfer(
    @Body({ schema: newTransferSchema }) wanted: z.output<typeof newTransferSchema>,
    @IdempotencyKey() key: string | undefined,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<TransferView | Problem> {
    return sendAnswer(reply, await this.#transfers.transfer(wanted, keyOf(key, request.id)));
  }

  @Post('batch')
  @HttpCode(MULTI_STATUS)
  @ApiOperation({
    summary: 'Transfer many times',
    description: 'Each by itself, with a key of its own; a malformed one refuses them all.',
  })
  @WriteAnswer(MULTI_STATUS, transferBatchResultSchema, 'What came of each, in order')
  async transferMany(
    @Body({ schema: transferBatchSchema }) { transfers }: z.output<typeof transferBatchSchema>,
    @Req() { id: requestId }: FastifyRequest,
  ): Promise<{ results: BatchResult[] }> {
    const outcomes = await this.#transfers.transferMany(
      transfers.map(({ idempotencyKey, ...request }) => ({
        request,
        idempotency: keyOf(idempotencyKey, requestId),
      })),
    );
    return { results: outcomes.map((outcome) => batchResultOf(outcome, requestId)) };
  }

  @Get(':id')
  @ApiOperation({ summary: 'Show a transfer' })
  @ReadAnswer(transferViewSchema, 'The transfer')
  @ApiProblems('not_found')
  show(@Param('id', { schema: rowIdSchema }) id: string): Promise<TransferView> {
    return this.#transfers.get(id);
  }

  @Post(':id/post')
  @HttpCode(200)
  @AcceptsIdempotencyKey()
  @ApiOperation({
    summary: 'Post a pending transfer',
    description: 'Moves all that it holds, or part of it; the rest is released.',
  })
  @WriteAnswer(200, transferViewSchema, 'The transfer')
  @ApiProblems(
    'not_found',
    'transfer_not_pending',
    'account_frozen',
    'account_closed',
    'amount_exceeds_pending',
    'amount_out_of_range',
    'idempotency_key_reused',
    'overloaded',
    'two_phase_unavailable',
  )
  async post(
    @Param('id', { schema: rowIdSchema }) id: string,
    @Body({ schema: postTransferSchema }) { amount }: z.output<typeof postTransferSchema>,
    @IdempotencyKey() key: string | undefined,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<TransferView | Problem> {
    return sendAnswer(reply, await this.#transfers.post(id, { amount }, keyOf(key, request.id)));
  }

  @Post(':id/void')
  @HttpCode(200)
  @AcceptsIdempotencyKey()
  @ApiOperation({ summary: 'Void a pending transfer', description: 'Releases what it holds.' })
  @WriteAnswer(200, transferViewSchema, 'The transfer')
  @ApiProblems('not_found', 'transfer_not_pending', 'idempotency_key_reused', 'overloaded')
  async void(
    @Param('id', { schema: rowIdSchema }) id: string,
    @Body({ schema: voidTransferSchema }) _: z.output<typeof voidTransferSchema>,
    @IdempotencyKey() key: string | undefined,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<TransferView | Problem> {
    return sendAnswer(reply, await this.#transfers.void(id, keyOf(key, request.id)));
  }
}
