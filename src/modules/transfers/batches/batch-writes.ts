import type { SqlRow } from '../../../common/sql-executor.js';
import type { NamedStatement, TenantTransaction } from '../../../gateway/shared-transaction.js';
import { formatAmount } from '../../money/amount.js';
import type { TransferRow } from '../decisions/batch-state.js';
import type { AccountWrite, EntryRow, ShardWrites } from '../decisions/shard-writes.js';

/** Columns of `finance.transfers`, with their types as a JSON document has them. */
const TRANSFER_COLUMNS = `
  id uuid, user_id text, bucket smallint, from_account_id uuid, to_account_id uuid, debit_id uuid, amount numeric,
  posted_amount numeric, currency text, status text, reference text, actor text, created_at timestamptz,
  expires_at timestamptz, completed_at timestamptz`;

const ENTRY_COLUMNS = `
  id uuid, user_id text, bucket smallint, account_id uuid, transfer_id uuid, status text, amount numeric,
  balance_after numeric, account_version bigint, reference text, actor text, executed_at timestamptz`;

/** Of a transfer that is resolved: its row and its entry change. */
const RESOLVED_SQL = `
    , resolved AS (
      UPDATE finance.transfers AS transfer
      SET status = given.status, posted_amount = given.posted_amount, completed_at = given.completed_at
      FROM jsonb_to_recordset($7::jsonb) AS given (${TRANSFER_COLUMNS})
      WHERE transfer.tenant_id = $1 AND transfer.id = given.id AND transfer.status = 'PENDING'
      RETURNING 1
    ), ended AS (
      UPDATE finance.transactions AS entry
      SET status = given.status, amount = given.amount, balance_after = given.balance_after,
          account_version = given.account_version, executed_at = given.executed_at
      FROM jsonb_to_recordset($8::jsonb) AS given (${ENTRY_COLUMNS})
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
      FROM jsonb_to_recordset($2::jsonb)
        AS given (id uuid, balance numeric, held numeric, version bigint, updated_at timestamptz)
      WHERE account.tenant_id = $1 AND account.id = given.id AND account.version < given.version
      RETURNING 1
    ), begun AS (
      INSERT INTO finance.transfers
        (tenant_id, id, user_id, bucket, from_account_id, to_account_id, debit_id, amount, posted_amount, currency,
         status, reference, actor, created_at, expires_at, completed_at)
      SELECT $1, given.* FROM jsonb_to_recordset($3::jsonb) AS given (${TRANSFER_COLUMNS})
    ), entered AS (
      INSERT INTO finance.transactions
        (tenant_id, type, posting_id, id, user_id, bucket, account_id, transfer_id, status, amount, balance_after,
         account_version, reference, actor, executed_at)
      SELECT $1, 'TRANSFER', given.transfer_id, given.*
      FROM jsonb_to_recordset($4::jsonb) AS given (${ENTRY_COLUMNS})
    ), remembered AS (
      INSERT INTO shardgate.idempotency_keys
        (tenant_id, user_id, key, bucket, operation, request, status, response)
      SELECT $1, given.*
      FROM jsonb_to_recordset($5::jsonb) AS given
        (user_id text, key text, bucket smallint, operation text, request jsonb, status smallint, response jsonb)
    )${resolvedSql}
    SELECT 1 / ((SELECT count(*) FROM changed) = $6::int${isResolvedSql})::int AS whole`,
  };
}

const WRITE_NEW = writeStatement('transfers_write_new', '', '');

/** The planner and the executor take their time for each table of a statement: most batches resolve nothing. */
const WRITE_ALL = writeStatement(
  'transfers_write_all',
  RESOLVED_SQL,
  ' AND (SELECT count(*) FROM resolved) = $9::int AND (SELECT count(*) FROM ended) = $10::int',
);

/** Writes what a batch comes to on one shard; nothing is sent where that is nothing. */
export async function writeBatch(
  tx: TenantTransaction,
  tenantId: string,
  writes: ShardWrites | undefined,
): Promise<void> {
  if (writes === undefined) return;
  const { accounts, newTransfers, resolvedTransfers, newEntries, resolvedEntries, keys } = writes;
  if (accounts.length + keys.length === 0) return;
  const idsOf = (...rows: readonly { readonly id: string }[]): string[] => rows.map(({ id }) => id);
  const isResolving = resolvedTransfers.length + resolvedEntries.length > 0;
  await tx.write<SqlRow>(
    isResolving ? WRITE_ALL : WRITE_NEW,
    [
      tenantId,
      JSON.stringify(accounts.map(accountRowOf)),
      JSON.stringify(newTransfers.map(transferRowOf)),
      JSON.stringify(newEntries.map(entryRowOf)),
      JSON.stringify(keys.map(({ userId, ...key }) => ({ user_id: userId, ...key }))),
      accounts.length,
      ...(isResolving
        ? [
            JSON.stringify(resolvedTransfers.map(transferRowOf)),
            JSON.stringify(resolvedEntries.map(entryRowOf)),
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

function accountRowOf({ id, balance, held, version, updatedAt }: AccountWrite): object {
  return {
    id,
    balance: formatAmount(balance),
    held: formatAmount(held),
    version: version.toString(),
    updated_at: updatedAt,
  };
}

function transferRowOf(transfer: TransferRow): object {
  return {
    id: transfer.id,
    user_id: transfer.userId,
    bucket: transfer.bucket,
    from_account_id: transfer.fromAccountId,
    to_account_id: transfer.toAccountId,
    debit_id: transfer.debitId,
    amount: formatAmount(transfer.amount),
    posted_amount: transfer.postedAmount && formatAmount(transfer.postedAmount),
    currency: transfer.currency,
    status: transfer.status,
    reference: transfer.reference,
    actor: transfer.actor,
    created_at: transfer.createdAt,
    expires_at: transfer.expiresAt,
    completed_at: transfer.completedAt,
  };
}

function entryRowOf(entry: EntryRow): object {
  return {
    id: entry.id,
    user_id: entry.userId,
    bucket: entry.bucket,
    account_id: entry.accountId,
    transfer_id: entry.transferId,
    status: entry.status,
    amount: formatAmount(entry.amount),
    balance_after: entry.balanceAfter && formatAmount(entry.balanceAfter),
    account_version: entry.accountVersion.toString(),
    reference: entry.reference,
    actor: entry.actor,
    executed_at: entry.executedAt,
  };
}
