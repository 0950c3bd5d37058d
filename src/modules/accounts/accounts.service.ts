import { Injectable } from '@nestjs/common';
import { GatewayContext } from '../../common/gateway-context.js';
import { ValidationError } from '../../common/gateway-error.js';
import type { Page } from '../../gateway/all-shards-repository.js';
import { DataGateway } from '../../gateway/data-gateway.js';
import { UniqueLookup } from '../../sharding/lookup/unique-lookup.js';
import type { Answer } from '../idempotency/decided-outcome.js';
import type { IdempotencyKey } from '../idempotency/idempotency-keys.js';
import { AccountCreation } from './account-creation.js';
import { ACCOUNT_NUMBER_INDEX, parseAccountNumber } from './account-number.js';
import { accountViewOf, type AccountView } from './account-view.js';
import { Account } from './account.js';
import type { WantedAccount } from './new-account.js';
import { readAccount } from './visible-account.js';

/** Which page of a list of accounts. */
export interface AccountListing {
  /** 1 to 500. */
  readonly limit: number;
  readonly cursor?: string | undefined;
  /** Whether shards that are away are named instead of failing the call. */
  readonly partial?: boolean | undefined;
}

/**
 * Accounts in the tenant of the scope. With a user in scope it is about that user's alone; settlement
 * accounts are never seen.
 */
@Injectable()
export class AccountsService {
  readonly #gateway: DataGateway;
  readonly #lookup: UniqueLookup;
  readonly #creation: AccountCreation;

  constructor(gateway: DataGateway, lookup: UniqueLookup, creation: AccountCreation) {
    this.#gateway = gateway;
    this.#lookup = lookup;
    this.#creation = creation;
  }

  /** Creates an account for the user in scope. @see AccountCreation.create */
  create(wanted: WantedAccount, idempotency?: IdempotencyKey): Promise<Answer<AccountView>> {
    return this.#creation.create(wanted, idempotency);
  }

  /** One account. @throws NotFoundError also for an account of another user */
  async get(id: string): Promise<AccountView> {
    return accountViewOf(await readAccount(this.#gateway, id));
  }

  /** The user's accounts, or all of the tenant's across shards, oldest first. */
  async list({ limit, cursor, partial = false }: AccountListing): Promise<Page<AccountView>> {
    const { userId } = GatewayContext.require();
    const page = await this.#gateway
      .list(Account, { userId })
      .page({ where: { kind: 'USER' }, limit, cursor, partial });
    return { ...page, items: page.items.map(accountViewOf) };
  }

  /**
   * The account of this number, whosever it is.
   *
   * @throws ValidationError when it cannot be an account number
   */
  async findByNumber(accountNumber: string): Promise<AccountView | undefined> {
    const parsed = parseAccountNumber(accountNumber);
    if ('fault' in parsed) throw new ValidationError([{ path: 'accountNumber', message: parsed.fault }]);
    const found = await this.#lookup.find({ index: ACCOUNT_NUMBER_INDEX, value: parsed.number });
    const { userId } = GatewayContext.require();
    if (found === undefined || (userId !== undefined && userId !== found.userId)) return undefined;
    const account = await this.#readFresh(found.rowId);
    return account === null ? undefined : accountViewOf(account);
  }

  /** The number's entry may have come to its replica before the account came to its own. */
  async #readFresh(id: string): Promise<Account | null> {
    const accounts = this.#gateway.repository(Account);
    return (await accounts.findById(id)) ?? (await accounts.findById(id, { from: 'primary' }));
  }
}
