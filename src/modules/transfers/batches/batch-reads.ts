import { Decimal } from 'decimal.js';
import type { SqlRow } from '../../../common/sql-executor.js';
import {
  waitingWritesOf,
  type NamedStatement,
  type TenantTransaction,
} from '../../../gateway/shared-transaction.js';
import { isGatewayId } from '../../../sharding/topology/gateway-id.js';
import { NO_OWNER, type RememberedRequest } from '../../idempotency/idempotency-keys.js';
import type { BatchState, LockedAccount, TransferRow } from '../decisions/batch-state.js';
import type { TransferCommand } from '../decisions/transfer-command.js';

/** What to do about an account that somebody else holds: wait a moment for it, or leave it out. */
export type LockMode = 'wait' | 'skip';

/** Accounts that are named, and those of transfers that are to be resolved; the two of a transfer never change. */
const ACCOUNT_IDS_SQL = `
  SELECT unnest($2::uuid[])
  UNION SELECT from_account_id FROM finance.transfers WHERE tenant_id = $1 AND id = ANY($3::uuid[])
  UNION SELECT to_account_id FROM finance.transfers WHERE tenant_id = $1 AND id = ANY($3::uuid[])`;

/**
 * In the order of their ids, as everybody locks them. The weaker of the two locks that an UPDATE may take: foreign
 * keys of others' entries do not wait for it.
 */
const LOCK_ACCOUNTS: NamedStatement = {
  name: 'transfers_lock_accounts',
  text: `
    SELECT id, user_id AS "userId", bucket, currency, status, balance, held, overdraft_limit AS "overdraftLimit",
           version, updated_at AS "updatedAt"
    FROM finance.accounts
    WHERE tenant_id = $1 AND kind = 'USER' AND id = ANY(ARRAY(${ACCOUNT_IDS_SQL}))
    ORDER BY id
    FOR NO KEY UPDATE`,
};

/** The same, where those that somebody else holds are named without being waited for. */
const LOCK_FREE_ACCOUNTS: NamedStatement = {
  name: 'transfers_lock_free_accounts',
  text: `
    WITH wanted AS MATERIALIZED (${ACCOUNT_IDS_SQL}),
    locked AS MATERIALIZED (
      SELECT id, currency, status, balance, held, overdraft_limit, version, updated_at
      FROM finance.accounts
      WHERE tenant_id = $1 AND kind = 'USER' AND id = ANY(ARRAY(SELECT * FROM wanted))
      ORDER BY id
      FOR NO KEY UPDATE SKIP LOCKED
    )
    SELECT id, existing.user_id AS "userId", existing.bucket, locked.currency, locked.status, locked.balance,
           locked.held, locked.overdraft_limit AS "overdraftLimit", locked.version, locked.updated_at AS "updatedAt"
    FROM finance.accounts AS existing LEFT JOIN locked USING (id)
    WHERE existing.tenant_id = $1 AND existing.kind = 'USER' AND id = ANY(ARRAY(SELECT * FROM wanted))`,
};

/** Behind the lock of the paying account, which whoever resolves a transfer takes first. */
const READ_TRANSFERS: NamedStatement = {
  name: 'transfers_read',
  text: `
    SELECT id, user_id AS "userId", bucket, from_account_id AS "fromAccountId", to_account_id AS "toAccountId",
           debit_id AS "debitId", amount, posted_amount AS "postedAmount", currency, status, reference, actor,
           created_at AS "createdAt", expires_at AS "expiresAt", completed_at AS "completedAt"
    FROM finance.transfers
    WHERE tenant_id = $1 AND id = ANY($2::uuid[])`,
};

const WAITING_TRANSFERS = waitingWritesOf('transfers_waiting', 'finance.transfers');

/**
 * Behind the locks: who had one of these keys and the same account before has committed by now, and what is decided
 * is decided now. One look for each key: a plain join may begin with all keys of the tenant.
 */
const READ_KEYS_AND_CLOCK: NamedStatement = {
  name: 'transfers_read_keys_and_clock',
  text: `
    WITH wanted AS MATERIALIZED (
      SELECT place, key, coalesce(
        owner,
        (SELECT user_id FROM finance.accounts WHERE tenant_id = $1 AND id = account_id AND kind = 'USER'),
        (SELECT user_id FROM finance.transfers WHERE tenant_id = $1 AND id = transfer_id),
        '${NO_OWNER}'
      ) AS owner
      FROM unnest($2::int[], $3::text[], $4::text[], $5::uuid[], $6::uuid[])
        AS given (place, owner, key, account_id, transfer_id)
    ), remembered AS MATERIALIZED (
      SELECT wanted.place, kept.operation, kept.request, kept.status, kept.response
      FROM wanted CROSS JOIN LATERAL (
        SELECT operation, request, status, response FROM shardgate.idempotency_keys
        WHERE tenant_id = $1 AND user_id = wanted.owner AND key = wanted.key
        LIMIT 1
      ) AS kept
    )
    SELECT clock.now, remembered.*
    FROM (SELECT date_trunc('milliseconds', clock_timestamp()) AS now) AS clock LEFT JOIN remembered ON true`,
};

type WithText<T, Names extends keyof T> = Omit<T, Names> & Readonly<Record<Names, string>>;

type AccountRow = SqlRow & WithText<LockedAccount, 'balance' | 'held' | 'overdraftLimit' | 'version'>;

/** Of an account that somebody else holds no more is known than whose it is. */
type FoundAccountRow = AccountRow | (SqlRow & { readonly id: string; readonly version: null });

/** There is one at least: without a place it tells the time alone. */
type KeyRow = SqlRow & { readonly now: Date } & (
    (RememberedRequest & { readonly place: number }) | { readonly place: null }
  );

type StoredTransferRow = SqlRow & WithText<TransferRow, 'amount'> & { readonly postedAmount: string | null };

/** Whose batch is to be read, and on which of its shards. */
interface ReadPlace {
  readonly shardId: string;
  readonly tenantId: string;
}

/**
 * Locks on one shard what the commands are about, and reads what they are decided on: everything goes out at once.
 * Of commands that have another home shard, only their accounts are looked for.
 */
export async function readBatch(
  tx: TenantTransaction,
  { shardId, tenantId }: ReadPlace,
  commands: readonly TransferCommand[],
  mode: LockMode,
): Promise<BatchState> {
  const home = [...commands.entries()].filter(([, { homeShardId }]) => homeShardId === shardId);
  const accountIds = distinct(
    commands.flatMap((command) => {
      if (command.kind === 'transfer') return [command.fromAccountId, command.toAccountId];
      return command.kind === 'post' && command.toAccountId !== undefined ? [command.toAccountId] : [];
    }),
  );
  const transferIds = distinct(
    home.flatMap(([, command]) => (command.kind === 'transfer' ? [] : [command.transferId])),
  );
  const keyed = home.filter(([, { idempotency }]) => idempotency !== undefined);
  const locking = mode === 'wait' ? LOCK_ACCOUNTS : LOCK_FREE_ACCOUNTS;
  const [accounts, transfers, keys] = await Promise.all([
    tx.query<FoundAccountRow>(locking, [tenantId, accountIds, transferIds]),
    transferIds.length === 0 ? [] : tx.query<StoredTransferRow>(READ_TRANSFERS, [tenantId, transferIds]),
    tx.query<KeyRow>(READ_KEYS_AND_CLOCK, [tenantId, ...keyColumns(keyed)]),
  ]);
  const known = new Set(accounts.map(({ id }) => id));
  const seen = new Set(transfers.filter((row) => known.has(row.fromAccountId)).map(({ id }) => id));
  return {
    accounts: byId(accounts.filter(isFree).map((row) => accountOf(row, shardId))),
    busy: new Set(accounts.filter((row) => !isFree(row)).map(({ id }) => id)),
    transfers: byId(transfers.map(transferOf)),
    unsettled: await unsettledOf(
      tx,
      tenantId,
      transferIds.filter((id) => !seen.has(id)),
    ),
    remembered: new Map(keys.flatMap((row) => (row.place === null ? [] : [[row.place, row]]))),
    now: keys[0]?.now ?? new Date(),
  };
}

/**
 * Which of the transfers that were not seen, or not before the locks were taken, there may be all the same. Whoever
 * asks may have been told of one whose shard was away when that was decided, and which waits for recovery since.
 */
async function unsettledOf(
  tx: TenantTransaction,
  tenantId: string,
  unseen: readonly string[],
): Promise<ReadonlySet<string>> {
  if (unseen.length === 0) return new Set();
  // In this order: what is finished in between is seen by the second.
  const [waiting, late] = await Promise.all([
    tx.query<SqlRow>(WAITING_TRANSFERS, []),
    tx.query<StoredTransferRow>(READ_TRANSFERS, [tenantId, unseen]),
  ]);
  return new Set(waiting.length > 0 ? unseen : late.map(({ id }) => id));
}

function isFree(row: FoundAccountRow): row is AccountRow {
  return row.version !== null;
}

function keyColumns(keyed: readonly (readonly [number, TransferCommand])[]): unknown[] {
  return [
    keyed.map(([place]) => place),
    keyed.map(([, { userId }]) => userId ?? null),
    keyed.map(([, { idempotency }]) => idempotency?.key),
    keyed.map(([, command]) =>
      command.kind === 'transfer' && isGatewayId(command.fromAccountId) ? command.fromAccountId : null,
    ),
    keyed.map(([, command]) =>
      command.kind !== 'transfer' && isGatewayId(command.transferId) ? command.transferId : null,
    ),
  ];
}

/** What no gateway gave out is no id of a row, and may be no UUID. */
function distinct(ids: readonly string[]): string[] {
  return [...new Set(ids)].filter(isGatewayId);
}

function byId<T extends { readonly id: string }>(rows: readonly T[]): Map<string, T> {
  return new Map(rows.map((row) => [row.id, row]));
}

function accountOf(row: AccountRow, shardId: string): LockedAccount {
  const { id, userId, bucket, currency, status, balance, held, overdraftLimit, version, updatedAt } = row;
  return {
    id,
    userId,
    bucket,
    currency,
    status,
    balance: new Decimal(balance),
    held: new Decimal(held),
    overdraftLimit: new Decimal(overdraftLimit),
    version: BigInt(version),
    updatedAt,
    shardId,
  };
}

function transferOf(row: StoredTransferRow): TransferRow {
  const { amount, postedAmount } = row;
  return {
    ...row,
    amount: new Decimal(amount),
    postedAmount: postedAmount === null ? null : new Decimal(postedAmount),
  };
}
