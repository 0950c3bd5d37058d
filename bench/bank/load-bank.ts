import pg from 'pg';
import type { BenchAccount } from './bench-account.js';
import { TRANSACTIONS_PER_BUSY_ACCOUNT, type BenchBank } from './bench-bank.js';

const ACCOUNTS_SQL = `
  INSERT INTO finance.accounts (tenant_id, id, user_id, bucket, account_number, currency, balance, version)
  SELECT tenant_id, id, user_id, bucket, account_number, 'EUR', balance, 1
  FROM unnest($1::text[], $2::uuid[], $3::text[], $4::smallint[], $5::text[], $6::numeric[])
    AS given (tenant_id, id, user_id, bucket, account_number, balance)`;

/**
 * Of two neighbours among the busy accounts, one pays the other one cent more each time, and gets it back
 * the next time: every posting has two entries that sum to zero, and balances end as they began. An id
 * carries its millisecond and its bucket, as the gateway mints them.
 */
const TRANSACTIONS_SQL = `
  INSERT INTO finance.transactions (
    tenant_id, id, user_id, bucket, account_id, type, status, amount, balance_after, account_version,
    posting_id, transfer_id, reference, actor, executed_at)
  SELECT account.tenant_id,
         (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '8'
           || lpad(to_hex(account.bucket::int), 3, '0') || '8'
           || left(md5(account.id::text || nr), 15))::uuid,
         account.user_id, account.bucket, account.id, 'TRANSFER', 'COMPLETED',
         amount, CASE WHEN nr % 2 = 1 THEN account.balance + amount ELSE account.balance END, nr + 1,
         md5('transfer' || pair || '/' || nr)::uuid, md5('transfer' || pair || '/' || nr)::uuid,
         'bench ' || nr, 'bench', at
  FROM unnest($1::uuid[]) WITH ORDINALITY AS busy (id, place)
  JOIN finance.accounts account ON account.id = busy.id
  CROSS JOIN generate_series(1, $2::int) nr
  CROSS JOIN LATERAL (
    SELECT timestamptz '2026-01-01 00:00Z' + nr * interval '1 minute' AS at,
           (place - 1) / 2 AS pair,
           (nr + 1) / 2 * 0.01 * CASE WHEN (nr + place) % 2 = 0 THEN 1 ELSE -1 END AS amount
  ) entry`;

const VERSIONS_SQL = `UPDATE finance.accounts SET version = $2::int + 1 WHERE id = ANY ($1::uuid[])`;

/** Rows that were changed leave old ones behind; without this the first readers would clean up for the others. */
const TIDY_SQL = ['VACUUM (FREEZE, ANALYZE) finance.accounts, finance.transactions', 'CHECKPOINT'];

/** Writes the accounts and transactions of one shard, set by set, with the login that owns the schema. */
export async function loadBank(bank: BenchBank, shardId: string, adminUrl: string): Promise<void> {
  const client = new pg.Client({ connectionString: adminUrl });
  await client.connect();
  try {
    await insertAccounts(client, bank.everything(shardId));
    const busyIds = bank.busyAccounts(shardId).map(({ id }) => id);
    await client.query(TRANSACTIONS_SQL, [busyIds, TRANSACTIONS_PER_BUSY_ACCOUNT]);
    await client.query(VERSIONS_SQL, [busyIds, TRANSACTIONS_PER_BUSY_ACCOUNT]);
    for (const sql of TIDY_SQL) await client.query(sql);
  } finally {
    await client.end();
  }
}

/** Writes accounts of one shard, none of which has a transaction. */
export async function insertAccounts(client: pg.Client, accounts: readonly BenchAccount[]): Promise<void> {
  await client.query(ACCOUNTS_SQL, [
    accounts.map(({ tenantId }) => tenantId),
    accounts.map(({ id }) => id),
    accounts.map(({ userId }) => userId),
    accounts.map(({ bucket }) => bucket),
    accounts.map(({ accountNumber }) => accountNumber),
    accounts.map(({ balanceText }) => balanceText),
  ]);
}
