import { Body, Controller, Get, Param, Post, Query, Req, Res } from '@nestjs/common';
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
import { movementSchema, transactionListQuerySchema, transactionListSchema } from './transaction-schemas.js';
import { transactionViewSchema, type TransactionView } from './transaction-view.js';
import { TransactionsService } from './transactions.service.js';

/** Deposits, withdrawals and transactions over HTTP. */
@ApiTags('Transactions')
@TenantRoute()
@Controller('v1')
export class TransactionsController {
  readonly #transactions: TransactionsService;

  constructor(transactions: TransactionsService) {
    this.#transactions = transactions;
  }

  @Post('accounts/:id/deposits')
  @AcceptsIdempotencyKey()
  @ApiOperation({ summary: 'Deposit', description: 'The settlement account of the currency pays it.' })
  @WriteAnswer(201, transactionViewSchema, 'The transaction')
  @ApiProblems(
    'not_found',
    'account_frozen',
    'account_closed',
    'amount_out_of_range',
    'idempotency_key_reused',
  )
  async deposit(
    @Param('id', { schema: rowIdSchema }) id: string,
    @Body({ schema: movementSchema }) movement: z.output<typeof movementSchema>,
    @IdempotencyKey() key: string | undefined,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<TransactionView | Problem> {
    return sendAnswer(reply, await this.#transactions.deposit(id, movement, keyOf(key, request.id)));
  }

  @Post('accounts/:id/withdrawals')
  @AcceptsIdempotencyKey()
  @ApiOperation({ summary: 'Withdraw', description: 'The settlement account of the currency receives it.' })
  @WriteAnswer(201, transactionViewSchema, 'The transaction')
  @ApiProblems(
    'not_found',
    'account_frozen',
    'account_closed',
    'insufficient_funds',
    'amount_out_of_range',
    'idempotency_key_reused',
  )
  async withdraw(
    @Param('id', { schema: rowIdSchema }) id: string,
    @Body({ schema: movementSchema }) movement: z.output<typeof movementSchema>,
    @IdempotencyKey() key: string | undefined,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<TransactionView | Problem> {
    return sendAnswer(reply, await this.#transactions.withdraw(id, movement, keyOf(key, request.id)));
  }

  @Get('accounts/:id/transactions')
  @ApiOperation({ summary: "List an account's transactions", description: 'Newest first.' })
  @ReadAnswer(transactionListSchema, 'A page of transactions')
  @ApiProblems('not_found')
  async list(
    @Param('id', { schema: rowIdSchema }) id: string,
    @Query({ schema: transactionListQuerySchema }) query: z.output<typeof transactionListQuerySchema>,
  ): Promise<{ items: readonly TransactionView[]; nextCursor: string | null }> {
    const { items, nextCursor } = await this.#transactions.list(id, query);
    return { items, nextCursor };
  }

  @Get('transactions/:id')
  @ApiOperation({ summary: 'Show a transaction' })
  @ReadAnswer(transactionViewSchema, 'The transaction')
  @ApiProblems('not_found')
  show(@Param('id', { schema: rowIdSchema }) id: string): Promise<TransactionView> {
    return this.#transactions.get(id);
  }
}
