import pg from 'pg';
import type { ClusterConfig } from '../../src/sharding/cluster/cluster-config.js';

const SUMS_SQL = `
  SELECT tenant_id AS "tenantId", currency, sum(balance)::text AS sum
  FROM finance.accounts GROUP BY tenant_id, currency`;

/** What transfers moved to or from this shard; over all shards it is nothing. */
const MOVED_SQL = `
  SELECT entry.tenant_id AS "tenantId", currency, sum(amount)::text AS sum
  FROM finance.transactions AS entry
  JOIN finance.accounts AS account ON account.tenant_id = entry.tenant_id AND account.id = entry.account_id
  WHERE entry.type = 'TRANSFER' AND entry.status = 'COMPLETED'
  GROUP BY entry.tenant_id, currency`;

/** Accounts that hold something else than their pending entries say. */
const HELD_SQL = `
  SELECT account.tenant_id AS "tenantId", account.id AS "accountId", held
  FROM finance.accounts AS account
  LEFT JOIN (
    SELECT tenant_id, account_id, -sum(amount) AS pending FROM finance.transactions
    WHERE status = 'PENDING' GROUP BY tenant_id, account_id
  ) AS entries ON entries.tenant_id = account.tenant_id AND entries.account_id = account.id
  WHERE held <> coalesce(pending, 0)`;

/** Transfers whose paying entry does not say what they say. */
const DEBITS_SQL = `
  SELECT transfer.tenant_id AS "tenantId", transfer.id AS "transferId", transfer.status
  FROM finance.transfers AS transfer
  LEFT JOIN finance.transactions AS entry
    ON entry.tenant_id = transfer.tenant_id AND entry.id = transfer.debit_id
       AND entry.transfer_id = transfer.id AND entry.account_id = transfer.from_account_id
  WHERE (entry.status, entry.amount) IS DISTINCT FROM (
    CASE transfer.status WHEN 'PENDING' THEN 'PENDING' WHEN 'COMPLETED' THEN 'COMPLETED' ELSE 'FAILED' END,
    -coalesce(transfer.posted_amount, transfer.amount)
  ) OR (transfer.status = 'COMPLETED' AND entry.executed_at IS DISTINCT FROM transfer.completed_at)`;

/** All completed transfers, and all credits; the two sides may be on two shards. */
const COMPLETED_SQL = `
  SELECT tenant_id || ' ' || id || ' ' || to_account_id || ' ' || posted_amount || ' ' || completed_at AS side
  FROM finance.transfers WHERE status = 'COMPLETED'`;
const CREDITS_SQL = `
  SELECT tenant_id || ' ' || transfer_id || ' ' || account_id || ' ' || amount || ' ' || executed_at AS side
  FROM finance.transactions WHERE type = 'TRANSFER' AND amount > 0`;

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

/** One side of a transfer, as one text. */
interface SideRow {
  readonly side: string;
}

/**
 * Looks at all ledgers on all shards, past the gateway: every tenant's money sums to zero in every currency, on
 * every shard but for what transfers moved between shards, every account's entries follow from each other and end at
 * its balance, every account holds what its pending entries say, every posting has its two sides, every completed
 * transfer exactly its debit and its credit, and every idempotency key its outcome. Nothing may be under way.
 *
 * @throws Error naming shard and rows
 */
export async function assertLedgerSound({ shards }: Pick<ClusterConfig, 'shards'>): Promise<void> {
  const completed: string[] = [];
  const credits: string[] = [];
  for (const { id, primary } of shards) {
    const client = new pg.Client({ connectionString: primary.adminUrl });
    await client.connect();
    try {
      assertNone(id, 'ledgers do not sum to what was moved here', await unexplainedSums(client));
      assertNone(id, 'entries break their chain', (await client.query(BROKEN_CHAINS_SQL)).rows);
      assertNone(id, 'accounts differ from their last entry', (await client.query(ENDS_SQL)).rows);
      assertNone(id, 'accounts hold what no entry says', (await client.query(HELD_SQL)).rows);
      assertNone(id, 'postings are not whole', (await client.query(POSTINGS_SQL)).rows);
      assertNone(id, 'transfers differ from their debit', (await client.query(DEBITS_SQL)).rows);
      assertNone(id, 'keys have no outcome', (await client.query(UNFINISHED_KEYS_SQL)).rows);
      completed.push(...(await client.query<SideRow>(COMPLETED_SQL)).rows.map(({ side }) => side));
      credits.push(...(await client.query<SideRow>(CREDITS_SQL)).rows.map(({ side }) => side));
    } finally {
      await client.end();
    }
  }
  const paid = new Set(completed);
  assertNone(
    'all shards',
    'credits have no transfer',
    credits.filter((side) => !paid.delete(side)),
  );
  assertNone('all shards', 'transfers have no credit', [...paid]);
}

/** In ten-thousandths; a JavaScript number would not hold them exactly. */
function unitsOf(sum: string): bigint {
  const [whole = '0', fraction = ''] = sum.split('.');
  return BigInt(`${whole}${fraction.padEnd(4, '0')}`);
}

/** Ledgers of a shard that do not sum to what transfers brought there. */
async function unexplainedSums(client: pg.Client): Promise<SumRow[]> {
  const moved = (await client.query<SumRow>(MOVED_SQL)).rows;
  const movedOf = new Map(moved.map(({ tenantId, currency, sum }) => [`${tenantId} ${currency}`, sum]));
  const { rows } = await client.query<SumRow>(SUMS_SQL);
  return rows.filter(
    ({ tenantId, currency, sum }) => unitsOf(sum) !== unitsOf(movedOf.get(`${tenantId} ${currency}`) ?? '0'),
  );
}

function assertNone(shardId: string, what: string, rows: readonly unknown[]): void {
  if (rows.length === 0) return;
  throw new Error(`On ${shardId} ${what}: ${JSON.stringify(rows.slice(0, 5))} (${rows.length} in all)`);
}
