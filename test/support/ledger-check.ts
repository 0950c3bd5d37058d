import pg from 'pg';
import type { ClusterConfig } from '../../src/sharding/cluster/cluster-config.js';

const SUMS_SQL = `
  SELECT tenant_id AS "tenantId", currency, sum(balance)::text AS sum
  FROM finance.accounts GROUP BY tenant_id, currency`;

/** Entries of an account that do not follow from the one before, by version and by balance. */
const BROKEN_CHAINS_SQL = `
  SELECT tenant_id AS "tenantId", account_id AS "accountId", account_version AS version FROM (
    SELECT *,
           lag(balance_after, 1, 0::numeric) OVER chain AS balance_before,
           lag(executed_at) OVER chain AS executed_before
    FROM finance.transactions WHERE status = 'COMPLETED'
    WINDOW chain AS (PARTITION BY tenant_id, account_id ORDER BY account_version)
  ) AS entries
  WHERE balance_after IS DISTINCT FROM balance_before + amount OR executed_at < executed_before`;

/** Accounts whose balance or version is not what their last entry says. */
const ENDS_SQL = `
  SELECT account.tenant_id AS "tenantId", account.id AS "accountId", account.version
  FROM finance.accounts AS account
  LEFT JOIN LATERAL (
    SELECT balance_after, account_version FROM finance.transactions AS entry
    WHERE entry.tenant_id = account.tenant_id AND entry.account_id = account.id AND status = 'COMPLETED'
    ORDER BY account_version DESC LIMIT 1
  ) AS newest ON true
  WHERE account.balance <> coalesce(newest.balance_after, 0) OR account.version < coalesce(newest.account_version, 1)`;

/** Postings whose two sides are not both there, or do not sum to zero. */
const POSTINGS_SQL = `
  SELECT tenant_id AS "tenantId", posting_id AS "postingId" FROM finance.transactions
  WHERE type <> 'TRANSFER'
  GROUP BY tenant_id, posting_id HAVING sum(amount) <> 0 OR count(*) <> 2 OR count(DISTINCT executed_at) <> 1`;

const UNFINISHED_KEYS_SQL = `
  SELECT tenant_id AS "tenantId", key FROM shardgate.idempotency_keys WHERE status IS NULL`;

/** A tenant's money in one currency on one shard. */
interface SumRow {
  readonly tenantId: string;
  readonly currency: string;
  readonly sum: string;
}

/**
 * Looks at all ledgers on all shards, past the gateway: every tenant's money sums to zero in every currency on
 * every shard, every account's entries follow from each other and end at its balance, every posting has its
 * two sides, and every idempotency key its outcome.
 *
 * @throws Error naming shard and rows
 */
export async function assertLedgerSound({ shards }: Pick<ClusterConfig, 'shards'>): Promise<void> {
  for (const { id, primary } of shards) {
    const client = new pg.Client({ connectionString: primary.adminUrl });
    await client.connect();
    try {
      const sums = await client.query<SumRow>(SUMS_SQL);
      assertNone(
        id,
        'ledgers do not sum to zero',
        sums.rows.filter(({ sum }) => Number(sum) !== 0),
      );
      assertNone(id, 'entries break their chain', (await client.query(BROKEN_CHAINS_SQL)).rows);
      assertNone(id, 'accounts differ from their last entry', (await client.query(ENDS_SQL)).rows);
      assertNone(id, 'postings are not whole', (await client.query(POSTINGS_SQL)).rows);
      assertNone(id, 'keys have no outcome', (await client.query(UNFINISHED_KEYS_SQL)).rows);
    } finally {
      await client.end();
    }
  }
}

function assertNone(shardId: string, what: string, rows: readonly unknown[]): void {
  if (rows.length === 0) return;
  throw new Error(`On ${shardId} ${what}: ${JSON.stringify(rows.slice(0, 5))} (${rows.length} in all)`);
}
