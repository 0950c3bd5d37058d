import type { SqlRow } from '../../../common/sql-executor.js';
import type { NamedStatement, TenantTransaction } from '../../../gateway/shared-transaction.js';
import { formatAmount } from '../../money/amount.js';
import type { TransferRow } from '../decisions/batch-state.js';
import type { AccountWrite, EntryRow, KeyWrite, ShardWrites } from '../decisions/shard-writes.js';
import { GivenRows, type GivenColumn } from './given-rows.js';

const ACCOUNT_COLUMNS: readonly GivenColumn<AccountWrite>[] = [
  { name: 'id', type: 'uuid', of: ({ id }) => id },
  { name: 'balance', type: 'numeric', of: ({ balance }) => formatAmount(balance) },
  { name: 'held', type: 'numeric', of: ({ held }) => formatAmount(held) },
  { name: 'version', type: 'bigint', of: ({ version }) => version },
  { name: 'updated_at', type: 'timestamptz', of: ({ updatedAt }) => updatedAt.toISOString() },
];

const TRANSFER_COLUMNS: readonly GivenColumn<TransferRow>[] = [
  { name: 'id', type: 'uuid', of: ({ id }) => id },
  { name: 'user_id', type: 'text', of: ({ userId }) => userId },
  { name: 'bucket', type: 'smallint', of: ({ bucket }) => bucket },
  { name: 'from_account_id', type: 'uuid', of: ({ fromAccountId }) => fromAccountId },
  { name: 'to_account_id', type: 'uuid', of: ({ toAccountId }) => toAccountId },
  { name: 'debit_id', type: 'uuid', of: ({ debitId }) => debitId },
  { name: 'amount', type: 'numeric', of: ({ amount }) => formatAmount(amount) },
  {
    name: 'posted_amount',
    type: 'numeric',
    of: ({ postedAmount }) => postedAmount && formatAmount(postedAmount),
  },
  { name: 'currency', type: 'text', of: ({ currency }) => currency },
  { name: 'status', type: 'text', of: ({ status }) => status },
  { name: 'reference', type: 'text', of: ({ reference }) => reference },
  { name: 'actor', type: 'text', of: ({ actor }) => actor },
  { name: 'created_at', type: 'timestamptz', of: ({ createdAt }) => createdAt.toISOString() },
  { name: 'expires_at', type: 'timestamptz', of: ({ expiresAt }) => expiresAt?.toISOString() ?? null },
  {
    name: 'completed_at',
    type: 'timestamptz',
    of: ({ completedAt }) => completedAt?.toISOString() ?? null,
  },
];

const ENTRY_COLUMNS: readonly GivenColumn<EntryRow>[] = [
  { name: 'id', type: 'uuid', of: ({ id }) => id },
  { name: 'user_id', type: 'text', of: ({ userId }) => userId },
  { name: 'bucket', type: 'smallint', of: ({ bucket }) => bucket },
  { name: 'account_id', type: 'uuid', of: ({ accountId }) => accountId },
  { name: 'transfer_id', type: 'uuid', of: ({ transferId }) => transferId },
  { name: 'status', type: 'text', of: ({ status }) => status },
  { name: 'amount', type: 'numeric', of: ({ amount }) => formatAmount(amount) },
  {
    name: 'balance_after',
    type: 'numeric',
    of: ({ balanceAfter }) => balanceAfter && formatAmount(balanceAfter),
  },
  { name: 'account_version', type: 'bigint', of: ({ accountVersion }) => accountVersion },
  { name: 'reference', type: 'text', of: ({ reference }) => reference },
  { name: 'actor', type: 'text', of: ({ actor }) => actor },
  { name: 'executed_at', type: 'timestamptz', of: ({ executedAt }) => executedAt.toISOString() },
];

const KEY_COLUMNS: readonly GivenColumn<KeyWrite>[] = [
  { name: 'user_id', type: 'text', of: ({ userId }) => userId },
  { name: 'key', type: 'text', of: ({ key }) => key },
  { name: 'bucket', type: 'smallint', of: ({ bucket }) => bucket },
  { name: 'operation', type: 'text', of: ({ operation }) => operation },
  { name: 'status', type: 'smallint', of: ({ status }) => status },
  { name: 'request', type: 'jsonb', of: ({ request }) => request },
  { name: 'response', type: 'jsonb', of: ({ response }) => response },
];

/** Behind the tenant and the number of accounts. */
const ACCOUNTS = new GivenRows(3, ACCOUNT_COLUMNS);
const NEW_TRANSFERS = new GivenRows(ACCOUNTS.next, TRANSFER_COLUMNS);
const NEW_ENTRIES = new GivenRows(NEW_TRANSFERS.next, ENTRY_COLUMNS);
const KEYS = new GivenRows(NEW_ENTRIES.next, KEY_COLUMNS);
const RESOLVED_TRANSFERS = new GivenRows(KEYS.next, TRANSFER_COLUMNS);
const RESOLVED_ENTRIES = new GivenRows(RESOLVED_TRANSFERS.next, ENTRY_COLUMNS);
/** How many there are of each of these two. */
const RESOLVED_COUNTS = [RESOLVED_ENTRIES.next, RESOLVED_ENTRIES.next + 1] as const;

/** Of a transfer that is resolved: its row and its entry change. */
const RESOLVED_SQL = `
    , resolved AS (
      UPDATE finance.transfers AS transfer
      SET status = given.status, posted_amount = given.posted_amount, completed_at = given.completed_at
      FROM ${RESOLVED_TRANSFERS.as('given')}
      WHERE transfer.tenant_id = $1 AND transfer.id = given.id AND transfer.status = 'PENDING'
      RETURNING 1
    ), ended AS (
      UPDATE finance.transactions AS entry
      SET status = given.status, amount = given.amount, balance_after = given.balance_after,
          account_version = given.account_version, executed_at = given.executed_at
      FROM ${RESOLVED_ENTRIES.as('given')}
      WHERE entry.tenant_id = $1 AND entry.id = given.id AND entry.status = 'PENDING'
      RETURNING 1
    )`;

/**
 * Everything at once. It fails, and with it the transaction, unless each row was changed that was to be: nothing
 * here may depend on what the statement before it found, because COMMIT is sent behind it.
 */
function writeStatement(name: string, resolvedSql: string, isResolvedSql: string): NamedStatement {
  return {
    name,
    text: `
    WITH changed AS (
      UPDATE finance.accounts AS account
      SET balance = given.balance, held = given.held, version = given.version, updated_at = given.updated_at
      FROM ${ACCOUNTS.as('given')}
      WHERE account.tenant_id = $1 AND account.id = given.id AND account.version < given.version
      RETURNING 1
    ), begun AS (
      INSERT INTO finance.transfers (tenant_id, ${NEW_TRANSFERS.names})
      SELECT $1, given.* FROM ${NEW_TRANSFERS.as('given')}
    ), entered AS (
      INSERT INTO finance.transactions (tenant_id, type, posting_id, ${NEW_ENTRIES.names})
      SELECT $1, 'TRANSFER', given.transfer_id, given.* FROM ${NEW_ENTRIES.as('given')}
    ), remembered AS (
      INSERT INTO shardgate.idempotency_keys (tenant_id, ${KEYS.names})
      SELECT $1, given.* FROM ${KEYS.as('given')}
    )${resolvedSql}
    SELECT 1 / ((SELECT count(*) FROM changed) = $2::int${isResolvedSql})::int AS whole`,
  };
}

const WRITE_NEW = writeStatement('transfers_write_new', '', '');

/** The planner and the executor take their time for each table of a statement: most batches resolve nothing. */
const WRITE_ALL = writeStatement(
  'transfers_write_all',
  RESOLVED_SQL,
  ` AND (SELECT count(*) FROM resolved) = $${RESOLVED_COUNTS[0]}::int
    AND (SELECT count(*) FROM ended) = $${RESOLVED_COUNTS[1]}::int`,
);

/** Writes what a batch, or a step of it, comes to on one shard. */
export async function writeBatch(
  tx: TenantTransaction,
  tenantId: string,
  { accounts, newTransfers, resolvedTransfers, newEntries, resolvedEntries, keys }: ShardWrites,
): Promise<void> {
  const idsOf = (...rows: readonly { readonly id: string }[]): string[] => rows.map(({ id }) => id);
  const isResolving = resolvedTransfers.length + resolvedEntries.length > 0;
  await tx.write<SqlRow>(
    isResolving ? WRITE_ALL : WRITE_NEW,
    [
      tenantId,
      accounts.length,
      ...ACCOUNTS.params(accounts),
      ...NEW_TRANSFERS.params(newTransfers),
      ...NEW_ENTRIES.params(newEntries),
      ...KEYS.params(keys),
      ...(isResolving
        ? [
            ...RESOLVED_TRANSFERS.params(resolvedTransfers),
            ...RESOLVED_ENTRIES.params(resolvedEntries),
            ...[resolvedTransfers.length, resolvedEntries.length],
          ]
        : []),
    ],
    [
      { table: 'finance.accounts', ids: idsOf(...accounts) },
      { table: 'finance.transfers', ids: idsOf(...newTransfers, ...resolvedTransfers) },
      { table: 'finance.transactions', ids: idsOf(...newEntries, ...resolvedEntries) },
    ],
  );
}
