import { Body, Controller, Get, HttpCode, Param, Patch, Post, Query, Req, Res } from '@nestjs/common';
import { ApiHeader, ApiOperation, ApiTags } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { z } from 'zod';
import type { Problem } from '../http/problem.js';
import { IdempotencyKey, IfMatch } from '../http/request-parameters.js';
import {
  AcceptsIdempotencyKey,
  ApiProblems,
  ReadAnswer,
  RequireUser,
  TenantRoute,
  WriteAnswer,
} from '../http/route-decorators.js';
import { keyOf } from '../idempotency/idempotency-keys.js';
import { sendAnswer } from '../idempotency/send-answer.js';
import {
  accountChangeSchema,
  accountListQuerySchema,
  accountListSchema,
  newAccountSchema,
  rowIdSchema,
  statusChangesResultSchema,
  statusChangesSchema,
} from './account-schemas.js';
import { AccountChanges, type StatusChangesResult } from './account-changes.js';
import { accountViewSchema, type AccountView } from './account-view.js';
import { AccountsService } from './accounts.service.js';

const ETAG = { ETag: { description: 'The version, in quotes', schema: { type: 'string' as const } } };

interface AccountList {
  readonly items: readonly AccountView[];
  readonly nextCursor: string | null;
  readonly missingShards?: readonly string[];
}

/** Accounts over HTTP. */
@ApiTags('Accounts')
@TenantRoute()
@Controller('v1/accounts')
export class AccountsController {
  readonly #accounts: AccountsService;
  readonly #changes: AccountChanges;

  constructor(accounts: AccountsService, changes: AccountChanges) {
    this.#accounts = accounts;
    this.#changes = changes;
  }

  @Post()
  @RequireUser()
  @AcceptsIdempotencyKey()
  @ApiOperation({
    summary: 'Create an account',
    description: 'The opening balance is a deposit, and is listed as one.',
  })
  @WriteAnswer(201, accountViewSchema, 'The account')
  @ApiProblems('account_number_taken', 'idempotency_key_reused', 'amount_out_of_range', 'overloaded')
  async create(
    @Body({ schema: newAccountSchema }) wanted: z.output<typeof newAccountSchema>,
    @IdempotencyKey() key: string | undefined,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<AccountView | Problem> {
    return sendAnswer(reply, await this.#accounts.create(wanted, keyOf(key, request.id)));
  }

  @Get()
  @ApiOperation({
    summary: 'List accounts',
    description: "With X-User-Id this user's, without it all of the tenant's, across shards; oldest first.",
  })
  @ReadAnswer(accountListSchema, 'A page of accounts')
  async list(
    @Query({ schema: accountListQuerySchema }) query: z.output<typeof accountListQuerySchema>,
  ): Promise<AccountList> {
    const { accountNumber, cursor, limit } = query;
    if (accountNumber !== undefined) {
      const account = await this.#accounts.findByNumber(accountNumber);
      return { items: account === undefined ? [] : [account], nextCursor: null };
    }
    const partial = query.partial === 'true';
    const { items, nextCursor, missingShards } = await this.#accounts.list({ cursor, limit, partial });
    return { items, nextCursor, ...(partial && { missingShards }) };
  }

  @Get(':id')
  @ApiOperation({ summary: 'Show an account' })
  @ReadAnswer(accountViewSchema, 'The account', ETAG)
  @ApiProblems('not_found')
  async show(
    @Param('id', { schema: rowIdSchema }) id: string,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<AccountView> {
    return withETag(reply, await this.#accounts.get(id));
  }

  @Patch(':id')
  @HttpCode(200)
  @ApiOperation({
    summary: 'Change an account',
    description:
      'Freeze, thaw or close it; a closed account stays closed, and only an empty one can be closed. ' +
      "The tenant's service, without X-User-Id, also sets how far it may be overdrawn.",
  })
  @ApiHeader({
    name: 'If-Match',
    required: false,
    description: 'The ETag that the change depends on',
    schema: { type: 'string' },
  })
  @WriteAnswer(200, accountViewSchema, 'The account', ETAG)
  @ApiProblems('not_found', 'version_conflict', 'account_closed', 'account_not_empty', 'insufficient_funds')
  async change(
    @Param('id', { schema: rowIdSchema }) id: string,
    @Body({ schema: accountChangeSchema }) change: z.output<typeof accountChangeSchema>,
    @IfMatch() expectedVersion: number | undefined,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<AccountView> {
    return withETag(reply, await this.#changes.change(id, change, expectedVersion));
  }

  @Patch()
  @HttpCode(200)
  @ApiOperation({
    summary: 'Freeze, thaw or close many accounts',
    description: 'Each by itself: those that cannot be changed are named with the reason.',
  })
  @WriteAnswer(200, statusChangesResultSchema, 'How many were updated, and which were not')
  setStatuses(
    @Body({ schema: statusChangesSchema }) { updates }: z.output<typeof statusChangesSchema>,
  ): Promise<StatusChangesResult> {
    return this.#changes.setMany(updates);
  }
}

function withETag(reply: FastifyReply, account: AccountView): AccountView {
  void reply.header('etag', `"${account.version}"`);
  return account;
}
