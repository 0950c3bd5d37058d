import { Injectable } from '@nestjs/common';
import type { Decimal } from 'decimal.js';
import type { EntityManager } from 'typeorm';
import { GatewayContext } from '../../common/gateway-context.js';
import { GatewayError } from '../../common/gateway-error.js';
import { DataGateway } from '../../gateway/data-gateway.js';
import { GatewayRuntime } from '../../gateway/gateway-runtime.js';
import type { GatewayTransaction } from '../../gateway/gateway-transaction.js';
import { UniqueLookup } from '../../sharding/lookup/unique-lookup.js';
import { isDecided, type Answer, type DecidedOutcome } from '../idempotency/decided-outcome.js';
import {
  decideOnce,
  findAnswer,
  type IdempotencyKey,
  type IdempotentRequest,
} from '../idempotency/idempotency-keys.js';
import { formatAmount } from '../money/amount.js';
import { TenantDirectory } from '../tenants/tenant-directory.js';
import { ACCOUNT_NUMBER_INDEX } from './account-number.js';
import { accountViewOf, accountViewSchema, type AccountView } from './account-view.js';
import type { Account } from './account.js';
import { insertAccount } from './insert-account.js';
import { outOfRange } from './ledger/movement-decision.js';
import { postMovement } from './ledger/post-movement.js';
import { parseNewAccount, type NewAccount, type WantedAccount } from './new-account.js';

const CREATED = 201;

/** Changes nothing; its commit has a position, up to which a read of the shard sees everything. */
const TOUCH_SQL = 'SELECT 1';

type RecordOutcome = (manager: EntityManager) => Promise<void>;
type Decide = () => Promise<DecidedOutcome<AccountView>>;

/** Creates accounts whose numbers are unique within the tenant, each on its user's shard. */
@Injectable()
export class AccountCreation {
  readonly #gateway: DataGateway;
  readonly #runtime: GatewayRuntime;
  readonly #lookup: UniqueLookup;
  readonly #tenants: TenantDirectory;

  constructor(gateway: DataGateway, runtime: GatewayRuntime, lookup: UniqueLookup, tenants: TenantDirectory) {
    this.#gateway = gateway;
    this.#runtime = runtime;
    this.#lookup = lookup;
    this.#tenants = tenants;
  }

  /**
   * Creates an account for the user in scope; an opening balance is its first deposit.
   *
   * @param idempotency makes it happen once, and be answered the same way again
   * @returns the account, or a refusal such as `account_number_taken`
   * @throws ValidationError when what is wanted is malformed
   * @throws GatewayError `idempotency_key_reused`
   */
  async create(wanted: WantedAccount, idempotency?: IdempotencyKey): Promise<Answer<AccountView>> {
    const { tenantId } = GatewayContext.require();
    const userId = GatewayContext.requireUserId();
    const account = parseNewAccount(wanted, this.#tenants.tenant(tenantId)?.subMinorUnits ?? false);
    const creation = new OneCreation(this.#gateway, tenantId, userId, account, idempotency);
    const earlier = await creation.findEarlier();
    const answer = earlier ?? (await this.#createUnlessTaken(creation, account.accountNumber, userId));
    if (answer.replayed) await this.#touchLookupShard(tenantId, account.accountNumber);
    return answer;
  }

  async #createUnlessTaken(
    creation: OneCreation,
    accountNumber: string,
    userId: string,
  ): Promise<Answer<AccountView>> {
    try {
      return await this.#lookup.createUnique({
        index: ACCOUNT_NUMBER_INDEX,
        value: accountNumber,
        userId,
        mintRowId: () => this.#gateway.mintId(userId),
        taken: () =>
          new GatewayError('account_number_taken', 'The account number is in use; choose another one.'),
        create: (rowId, recordOutcome) => creation.make(rowId, recordOutcome),
      });
    } catch (error) {
      if (!isDecided(error) || error.code === 'idempotency_key_reused') throw error;
      return creation.remember({ kind: 'refused', error });
    }
  }

  /** The token of a repeated answer covers the shard of the number's entry too, as the first one's did. */
  async #touchLookupShard(tenantId: string, value: string): Promise<void> {
    const { access, router } = this.#runtime;
    const { shardId } = router.forValue({ tenantId, index: ACCOUNT_NUMBER_INDEX, value });
    await access.write({ shardId }, (manager) => manager.query(TOUCH_SQL));
  }
}

/** One creation, on its user's shard. */
class OneCreation {
  readonly #gateway: DataGateway;
  readonly #tenantId: string;
  readonly #userId: string;
  readonly #account: NewAccount;
  readonly #idempotency: IdempotencyKey | undefined;

  constructor(
    gateway: DataGateway,
    tenantId: string,
    userId: string,
    account: NewAccount,
    idempotency: IdempotencyKey | undefined,
  ) {
    this.#gateway = gateway;
    this.#tenantId = tenantId;
    this.#userId = userId;
    this.#account = account;
    this.#idempotency = idempotency;
  }

  /** The remembered answer; looked for before the number is claimed, which it may have been by the same request. */
  async findEarlier(): Promise<Answer<AccountView> | undefined> {
    const request = this.#request();
    if (request === undefined) return undefined;
    return this.#inTransaction((tx) => findAnswer(tx.manager, this.#keyScope(tx), request));
  }

  /** Makes the account and its opening deposit, unless the key has an answer already. */
  make(id: string, recordOutcome: RecordOutcome): Promise<Answer<AccountView>> {
    return this.#inTransaction((tx) => this.#once(tx, () => this.#insert(tx, id, recordOutcome)));
  }

  /** Keeps a refusal that was decided elsewhere; where the key has an answer meanwhile, that one counts. */
  async remember(refusal: DecidedOutcome<AccountView>): Promise<Answer<AccountView>> {
    if (this.#idempotency === undefined) return { outcome: refusal, replayed: false, requestId: undefined };
    return this.#inTransaction((tx) => this.#once(tx, () => Promise.resolve(refusal)));
  }

  async #insert(
    tx: GatewayTransaction,
    id: string,
    recordOutcome: RecordOutcome,
  ): Promise<DecidedOutcome<AccountView>> {
    const { accountNumber, currency, openingDeposit } = this.#account;
    // First, so that a claim lost to somebody on this very shard is told as such, not as a number in use.
    await recordOutcome(tx.manager);
    const owner = { tenantId: this.#tenantId, userId: this.#userId, bucket: tx.owner.bucket };
    const account = await insertAccount(tx.manager, { id, ...owner, accountNumber, currency });
    if (openingDeposit !== undefined) await this.#open(tx, account, openingDeposit);
    return { kind: 'done', status: CREATED, body: accountViewOf(account) };
  }

  /** @throws GatewayError `amount_out_of_range`; thrown, so that the account goes with it */
  async #open(tx: GatewayTransaction, account: Account, amount: Decimal): Promise<void> {
    const { actor } = GatewayContext.require();
    const movement = { type: 'DEPOSIT', amount, reference: null, actor } as const;
    const entry = await postMovement(tx.manager, account, movement, () => this.#gateway.mintId(this.#userId));
    if (entry === undefined) throw outOfRange();
    const { accountVersion: version, executedAt: updatedAt } = entry;
    Object.assign(account, { balance: amount, version, updatedAt });
  }

  async #once(tx: GatewayTransaction, decide: Decide): Promise<Answer<AccountView>> {
    const request = this.#request();
    if (request === undefined) return { outcome: await decide(), replayed: false, requestId: undefined };
    return decideOnce(tx.manager, this.#keyScope(tx), request, decide);
  }

  #inTransaction<T>(run: (tx: GatewayTransaction) => Promise<T>): Promise<T> {
    return this.#gateway.transaction({ userId: this.#userId, login: 'shared' }, run);
  }

  #keyScope({ owner }: GatewayTransaction) {
    return { tenantId: this.#tenantId, userId: this.#userId, bucket: owner.bucket };
  }

  #request(): IdempotentRequest<AccountView> | undefined {
    if (this.#idempotency === undefined) return undefined;
    const { accountNumber, currency, openingDeposit } = this.#account;
    return {
      operation: 'create account',
      fields: {
        accountNumber,
        currency,
        openingBalance: openingDeposit === undefined ? null : formatAmount(openingDeposit),
      },
      idempotency: this.#idempotency,
      shape: accountViewSchema.keyof().options,
    };
  }
}
