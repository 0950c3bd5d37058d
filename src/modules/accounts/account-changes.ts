import { Injectable } from '@nestjs/common';
import type { ErrorCode } from '../../common/error-codes.js';
import type { Decimal } from 'decimal.js';
import { GatewayError, ValidationError } from '../../common/gateway-error.js';
import { DataGateway } from '../../gateway/data-gateway.js';
import { queryDeclaring } from '../../gateway/declared-changes.js';
import { GatewayRuntime } from '../../gateway/gateway-runtime.js';
import type { GatewayTransaction } from '../../gateway/gateway-transaction.js';
import { GatewayContext } from '../../common/gateway-context.js';
import { isGatewayId } from '../../sharding/topology/gateway-id.js';
import { finenessFault, parseAmount } from '../money/amount.js';
import { TenantDirectory } from '../tenants/tenant-directory.js';
import { decideChange, type AccountTerms } from './account-status.js';
import { accountViewOf, type AccountView } from './account-view.js';
import { Account, type AccountStatus } from './account.js';
import { accountNotFound, isVisible } from './visible-account.js';

/** Accounts that one transaction locks; others may wait for each of them. */
const CHUNK_SIZE = 500;

/** The rows are locked, and found fit for it. No row's time goes back, whatever clocks say. */
const CHANGE_SQL = `
  UPDATE finance.accounts AS account
  SET status = wanted.status, overdraft_limit = wanted.overdraft_limit, version = account.version + 1,
      updated_at = greatest(account.updated_at, date_trunc('milliseconds', clock_timestamp()))
  FROM unnest($2::uuid[], $3::text[], $4::numeric[]) AS wanted (id, status, overdraft_limit)
  WHERE account.tenant_id = $1 AND account.id = wanted.id
  RETURNING account.id, account.version, account.updated_at AS "updatedAt"`;

/** A new status for one account. */
export interface StatusChange {
  readonly id: string;
  readonly status: AccountStatus;
}

/** What of one account is to be another; what is left out stays. */
export interface AccountChange {
  readonly status?: AccountStatus | undefined;
  /** Decimal string, not negative. */
  readonly overdraftLimit?: string | undefined;
}

/** The same, read. */
interface WantedChange extends AccountTerms {
  readonly id: string;
}

/** What came of many changes, each of which stands for itself. */
export interface StatusChangesResult {
  /** How many accounts have the status that was asked for. */
  readonly updated: number;
  readonly failed: readonly { readonly id: string; readonly code: ErrorCode }[];
}

/** What came of one change: the account as it is now, or why it is as it was. */
type ChangeOutcome = { readonly account: Account } | { readonly error: GatewayError };

/** Changes accounts that the scope sees: freezes, thaws and closes them, and says how far they may be overdrawn. */
@Injectable()
export class AccountChanges {
  readonly #gateway: DataGateway;
  readonly #runtime: GatewayRuntime;
  readonly #tenants: TenantDirectory;

  constructor(gateway: DataGateway, runtime: GatewayRuntime, tenants: TenantDirectory) {
    this.#gateway = gateway;
    this.#runtime = runtime;
    this.#tenants = tenants;
  }

  /**
   * Changes the status of one account, how far it may be overdrawn, or both.
   *
   * @param expectedVersion the version that the change depends on, if it depends on one
   * @throws NotFoundError also for an account of another user
   * @throws ValidationError when the limit is no amount of the account's currency
   * @throws GatewayError `forbidden` when a user would set a limit, `version_conflict`, `account_closed`,
   *   `account_not_empty`, or `insufficient_funds` when more of the overdraft is used than the new limit allows
   */
  async change(id: string, change: AccountChange, expectedVersion?: number): Promise<AccountView> {
    const overdraftLimit = this.#limitOf(change);
    if (!isGatewayId(id)) throw accountNotFound();
    const wanted = { id: id.toLowerCase(), status: change.status, overdraftLimit };
    const [outcome] = await this.#gateway.transactionOnRow(id, { login: 'shared' }, (tx) =>
      changeAccounts(tx, [wanted], {
        subMinorUnits: this.#hasSubMinorUnits,
        expectedVersion: expectedVersion?.toString(),
      }),
    );
    if (outcome === undefined) throw accountNotFound();
    if ('error' in outcome) throw outcome.error;
    return accountViewOf(outcome.account);
  }

  get #hasSubMinorUnits(): boolean {
    return this.#tenants.tenant(GatewayContext.require().tenantId)?.subMinorUnits ?? false;
  }

  /** How much credit a user has is not that user's to say. */
  #limitOf({ overdraftLimit }: AccountChange): Decimal | undefined {
    if (overdraftLimit === undefined) return undefined;
    if (GatewayContext.require().userId !== undefined) {
      throw new GatewayError(
        'forbidden',
        "Only the tenant's service sets overdraft limits; leave X-User-Id out.",
      );
    }
    const limit = parseAmount(overdraftLimit);
    if (limit !== undefined) return limit;
    throw new ValidationError([
      { path: 'overdraftLimit', message: 'must be a decimal of at most 16 integer and 4 fraction digits' },
    ]);
  }

  /**
   * Sets the statuses of many accounts, wherever they are, with two statements per shard and chunk. Of
   * several changes of one account the last one counts.
   *
   * @throws ShardUnavailableError when a shard is away; changes on other shards may have been kept
   */
  async setMany(changes: readonly StatusChange[]): Promise<StatusChangesResult> {
    const failed: { id: string; code: ErrorCode }[] = [];
    let updated = 0;
    const last = new Map(changes.map((change) => [change.id.toLowerCase(), change.status]));
    const wanted = [...last].map(([id, status]) => ({ id, status }));
    for (const { id } of wanted.filter((change) => !isGatewayId(change.id))) {
      failed.push({ id, code: 'not_found' });
    }
    const work = async (chunk: readonly StatusChange[]): Promise<void> => {
      const [first] = chunk;
      if (first === undefined) return;
      const outcomes = await this.#gateway.transactionOnRow(first.id, { login: 'shared' }, (tx) =>
        changeAccounts(tx, chunk),
      );
      for (const [index, outcome] of outcomes.entries()) {
        if ('account' in outcome) updated += 1;
        else failed.push({ id: chunk[index]?.id ?? '', code: outcome.error.code });
      }
    };
    const byShard = this.#groupByShard(wanted.filter(({ id }) => isGatewayId(id)));
    await Promise.all(
      byShard.map(async (ofShard) => {
        for (let start = 0; start < ofShard.length; start += CHUNK_SIZE) {
          await work(ofShard.slice(start, start + CHUNK_SIZE));
        }
      }),
    );
    return { updated, failed };
  }

  #groupByShard(changes: readonly StatusChange[]): StatusChange[][] {
    const { tenantId } = GatewayContext.require();
    const groups = new Map<string, StatusChange[]>();
    for (const change of changes) {
      const { shardId } = this.#runtime.router.forId({ tenantId, id: change.id });
      const group = groups.get(shardId) ?? [];
      group.push(change);
      groups.set(shardId, group);
    }
    return [...groups.values()];
  }
}

/** Locks, decides in code, then changes what is to be changed. @returns one outcome per change, in order */
async function changeAccounts(
  tx: GatewayTransaction,
  changes: readonly WantedChange[],
  {
    subMinorUnits = false,
    expectedVersion,
  }: { subMinorUnits?: boolean; expectedVersion?: string | undefined } = {},
): Promise<ChangeOutcome[]> {
  const locked = await tx.lock(
    Account,
    changes.map(({ id }) => id),
  );
  const accounts = new Map(locked.map((account) => [account.id, account]));
  const changed: Account[] = [];
  const outcomes = changes.map(({ id, ...terms }): ChangeOutcome => {
    const account = accounts.get(id);
    if (!isVisible(account)) return { error: accountNotFound() };
    assertFineness(account, terms, subMinorUnits);
    const decision = decideChange(account, terms, expectedVersion);
    if (decision.kind === 'refuse') return { error: decision.error };
    if (decision.kind === 'keep') return { account };
    account.status = terms.status ?? account.status;
    account.overdraftLimit = terms.overdraftLimit ?? account.overdraftLimit;
    changed.push(account);
    return { account };
  });
  if (changed.length > 0) await writeChanges(tx, changed);
  return outcomes;
}

/** @throws ValidationError when the limit has more fraction digits than the account's currency */
function assertFineness(
  { currency }: Account,
  { overdraftLimit }: AccountTerms,
  subMinorUnits: boolean,
): void {
  const fault =
    overdraftLimit && finenessFault(overdraftLimit, { currency, subMinorUnits }, 'overdraftLimit');
  if (fault !== undefined) throw new ValidationError([fault]);
}

/** Writes what the accounts have been made to, and gives them their new versions. */
async function writeChanges(tx: GatewayTransaction, accounts: readonly Account[]): Promise<void> {
  const { tenantId } = GatewayContext.require();
  const byId = new Map(accounts.map((account) => [account.id, account]));
  const ids = [...byId.keys()];
  const [rows] = await queryDeclaring<[Pick<Account, 'id' | 'version' | 'updatedAt'>[], number]>(
    tx.manager,
    CHANGE_SQL,
    [
      tenantId,
      ids,
      accounts.map(({ status }) => status),
      accounts.map(({ overdraftLimit }) => overdraftLimit.toFixed()),
    ],
    () => [{ table: 'finance.accounts', ids }],
  );
  for (const { id, ...row } of rows) Object.assign(byId.get(id) ?? {}, row);
}
