import { Injectable } from '@nestjs/common';
import type { ErrorCode } from '../../common/error-codes.js';
import type { GatewayError } from '../../common/gateway-error.js';
import { DataGateway } from '../../gateway/data-gateway.js';
import { queryDeclaring } from '../../gateway/declared-changes.js';
import { GatewayRuntime } from '../../gateway/gateway-runtime.js';
import type { GatewayTransaction } from '../../gateway/gateway-transaction.js';
import { GatewayContext } from '../../common/gateway-context.js';
import { isGatewayId } from '../../sharding/topology/gateway-id.js';
import { decideStatus } from './account-status.js';
import { accountViewOf, type AccountView } from './account-view.js';
import { Account, type AccountStatus } from './account.js';
import { accountNotFound, isVisible } from './visible-account.js';

/** Accounts that one transaction locks; others may wait for each of them. */
const CHUNK_SIZE = 500;

/** The rows are locked, and found fit for their new status. */
const SET_STATUS_SQL = `
  UPDATE finance.accounts AS account
  SET status = wanted.status, version = account.version + 1,
      updated_at = date_trunc('milliseconds', clock_timestamp())
  FROM unnest($2::uuid[], $3::text[]) AS wanted (id, status)
  WHERE account.tenant_id = $1 AND account.id = wanted.id
  RETURNING account.id, account.version, account.updated_at AS "updatedAt"`;

/** A new status for one account. */
export interface StatusChange {
  readonly id: string;
  readonly status: AccountStatus;
}

/** What came of many changes, each of which stands for itself. */
export interface StatusChangesResult {
  /** How many accounts have the status that was asked for. */
  readonly updated: number;
  readonly failed: readonly { readonly id: string; readonly code: ErrorCode }[];
}

/** What came of one change: the account as it is now, or why it is as it was. */
type StatusOutcome = { readonly account: Account } | { readonly error: GatewayError };

/** Freezes, thaws and closes accounts that the scope sees. */
@Injectable()
export class AccountStatuses {
  readonly #gateway: DataGateway;
  readonly #runtime: GatewayRuntime;

  constructor(gateway: DataGateway, runtime: GatewayRuntime) {
    this.#gateway = gateway;
    this.#runtime = runtime;
  }

  /**
   * Sets the status of one account.
   *
   * @param expectedVersion the version that the change depends on, if it depends on one
   * @throws NotFoundError also for an account of another user
   * @throws GatewayError `version_conflict`, `account_closed` or `account_not_empty`
   */
  async set(id: string, status: AccountStatus, expectedVersion?: number): Promise<AccountView> {
    if (!isGatewayId(id)) throw accountNotFound();
    const [outcome] = await this.#gateway.transactionOnRow(id, { login: 'shared' }, (tx) =>
      changeStatuses(tx, [{ id: id.toLowerCase(), status }], expectedVersion?.toString()),
    );
    if (outcome === undefined) throw accountNotFound();
    if ('error' in outcome) throw outcome.error;
    return accountViewOf(outcome.account);
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
        changeStatuses(tx, chunk),
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
async function changeStatuses(
  tx: GatewayTransaction,
  changes: readonly StatusChange[],
  expectedVersion?: string,
): Promise<StatusOutcome[]> {
  const locked = await tx.lock(
    Account,
    changes.map(({ id }) => id),
  );
  const accounts = new Map(locked.map((account) => [account.id, account]));
  const toChange: { account: Account; status: AccountStatus }[] = [];
  const outcomes = changes.map(({ id, status }): StatusOutcome => {
    const account = accounts.get(id);
    if (!isVisible(account)) return { error: accountNotFound() };
    const decision = decideStatus(account, status, expectedVersion);
    if (decision.kind === 'refuse') return { error: decision.error };
    if (decision.kind === 'change') toChange.push({ account, status });
    return { account };
  });
  if (toChange.length > 0) await writeStatuses(tx, toChange);
  return outcomes;
}

/** Changes the rows and the objects that were read from them. */
async function writeStatuses(
  tx: GatewayTransaction,
  wanted: readonly { readonly account: Account; readonly status: AccountStatus }[],
): Promise<void> {
  const { tenantId } = GatewayContext.require();
  const byId = new Map(wanted.map((one) => [one.account.id, one]));
  const ids = wanted.map(({ account }) => account.id);
  const [rows] = await queryDeclaring<[Pick<Account, 'id' | 'version' | 'updatedAt'>[], number]>(
    tx.manager,
    SET_STATUS_SQL,
    [tenantId, ids, wanted.map(({ status }) => status)],
    () => [{ table: 'finance.accounts', ids }],
  );
  for (const { id, version, updatedAt } of rows) {
    const one = byId.get(id);
    if (one !== undefined) Object.assign(one.account, { status: one.status, version, updatedAt });
  }
}
