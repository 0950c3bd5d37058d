import { Injectable } from '@nestjs/common';
import type { Decimal } from 'decimal.js';
import { And, LessThan, MoreThanOrEqual, type FindOperator } from 'typeorm';
import { GatewayContext } from '../../common/gateway-context.js';
import { NotFoundError, ValidationError } from '../../common/gateway-error.js';
import type { Page } from '../../gateway/all-shards-repository.js';
import { DataGateway } from '../../gateway/data-gateway.js';
import type { GatewayTransaction } from '../../gateway/gateway-transaction.js';
import { failureOf } from '../../gateway/shared-transaction.js';
import { isGatewayId } from '../../sharding/topology/gateway-id.js';
import {
  LedgerTransaction,
  type TransactionStatus,
  type TransactionType,
} from '../accounts/ledger/ledger-transaction.js';
import type { WantedMovement } from '../accounts/ledger/move-money.js';
import { accountNotFound, readAccount } from '../accounts/visible-account.js';
import type { Answer } from '../idempotency/decided-outcome.js';
import type { IdempotencyKey } from '../idempotency/idempotency-keys.js';
import { parseAmount } from '../money/amount.js';
import { TenantDirectory } from '../tenants/tenant-directory.js';
import { moveOnce } from './move-once.js';
import { transactionViewOf, type TransactionView } from './transaction-view.js';

/** What a client says of a deposit or withdrawal. */
export interface MovementRequest {
  /** Decimal string above zero. */
  readonly amount: string;
  readonly reference?: string | null | undefined;
}

/** Which of an account's transactions, and which page of them. */
export interface TransactionListing {
  /** 1 to 500. */
  readonly limit: number;
  readonly cursor?: string | undefined;
  /** Inclusive. */
  readonly from?: Date | undefined;
  /** Exclusive. */
  readonly to?: Date | undefined;
  readonly type?: TransactionType | undefined;
  readonly status?: TransactionStatus | undefined;
}

/** How often a movement is begun that another transaction was in the way of. */
const ATTEMPTS_MAX = 10;

/** Moves money into and out of accounts, and shows what was moved, in the tenant of the scope. */
@Injectable()
export class TransactionsService {
  readonly #gateway: DataGateway;
  readonly #tenants: TenantDirectory;

  constructor(gateway: DataGateway, tenants: TenantDirectory) {
    this.#gateway = gateway;
    this.#tenants = tenants;
  }

  /**
   * Moves money from the settlement account to an account.
   *
   * @param idempotency makes it happen once, and be answered the same way again
   * @returns the transaction, or a refusal: `not_found`, `account_frozen`, `account_closed`, `amount_out_of_range`
   * @throws ValidationError for an amount that the currency does not have
   * @throws GatewayError `idempotency_key_reused`
   */
  deposit(
    accountId: string,
    request: MovementRequest,
    idempotency?: IdempotencyKey,
  ): Promise<Answer<TransactionView>> {
    return this.#move('DEPOSIT', accountId, request, idempotency);
  }

  /** Moves money from an account to the settlement account; refused with `insufficient_funds`, too. @see deposit */
  withdraw(
    accountId: string,
    request: MovementRequest,
    idempotency?: IdempotencyKey,
  ): Promise<Answer<TransactionView>> {
    return this.#move('WITHDRAW', accountId, request, idempotency);
  }

  /** One transaction. @throws NotFoundError also for one of another user */
  async get(id: string): Promise<TransactionView> {
    const entry = isGatewayId(id) ? await this.#gateway.repository(LedgerTransaction).findById(id) : null;
    const { userId } = GatewayContext.require();
    // The settlement account's entries lie in no bucket.
    if (entry === null || entry.bucket < 0 || (userId !== undefined && userId !== entry.userId)) {
      throw new NotFoundError('The transaction');
    }
    return transactionViewOf(entry);
  }

  /** An account's transactions, newest first. @throws NotFoundError when the scope does not see the account */
  async list(accountId: string, listing: TransactionListing): Promise<Page<TransactionView>> {
    const { id, userId } = await readAccount(this.#gateway, accountId);
    const { limit, cursor, type, status } = listing;
    const executedAt = periodOf(listing);
    const page = await this.#gateway.list(LedgerTransaction, { userId }).page({
      where: {
        accountId: id,
        ...(type !== undefined && { type }),
        ...(status !== undefined && { status }),
        ...(executedAt !== undefined && { executedAt }),
      },
      // Versions order what happened to an account within one millisecond.
      order: { executedAt: 'DESC', accountVersion: 'DESC' },
      limit,
      cursor,
    });
    return { ...page, items: page.items.map(transactionViewOf) };
  }

  async #move(
    type: WantedMovement['type'],
    accountId: string,
    { amount, reference }: MovementRequest,
    idempotency: IdempotencyKey | undefined,
  ): Promise<Answer<TransactionView>> {
    const { tenantId } = GatewayContext.require();
    const wanted: WantedMovement = {
      type,
      accountId: accountId.toLowerCase(),
      amount: parsePositiveAmount(amount),
      reference: reference ?? null,
      subMinorUnits: this.#tenants.tenant(tenantId)?.subMinorUnits ?? false,
      mintId: (userId) => this.#gateway.mintId(userId),
    };
    return this.#unlessInDeadlock(() =>
      this.#onShardOf(wanted.accountId, (tx) => moveOnce(tx, wanted, idempotency)),
    );
  }

  /**
   * A transfer locks the account before it takes its key, a movement the other way about: with one key for both, the
   * server ends one of them, and nothing of it is kept.
   */
  async #unlessInDeadlock<T>(move: () => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await move();
      } catch (error) {
        if (failureOf(error) !== 'conflict' || attempt === ATTEMPTS_MAX) throw error;
      }
    }
  }

  /** With a user in scope on that user's shard, where an account of somebody else is simply not found. */
  async #onShardOf<T>(accountId: string, run: (tx: GatewayTransaction) => Promise<T>): Promise<T> {
    const { userId } = GatewayContext.require();
    if (userId !== undefined) return this.#gateway.transaction({ userId, login: 'shared' }, run);
    if (!isGatewayId(accountId)) throw accountNotFound();
    return this.#gateway.transactionOnRow(accountId, { login: 'shared' }, run);
  }
}

function parsePositiveAmount(text: string): Decimal {
  const amount = parseAmount(text);
  if (amount?.greaterThan(0) === true) return amount;
  throw new ValidationError([
    { path: 'amount', message: 'must be a decimal above zero of at most 16 integer and 4 fraction digits' },
  ]);
}

function periodOf({ from, to }: TransactionListing): FindOperator<Date> | undefined {
  if (from === undefined) return to === undefined ? undefined : LessThan(to);
  return to === undefined ? MoreThanOrEqual(from) : And(MoreThanOrEqual(from), LessThan(to));
}
