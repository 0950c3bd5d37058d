import { Decimal } from 'decimal.js';
import type { EntityManager } from 'typeorm';
import { queryDeclaring } from '../../../gateway/declared-changes.js';
import type { Account } from '../account.js';
import { LedgerTransaction, type TransactionType } from './ledger-transaction.js';

/** Owner of all settlement accounts: no user's id begins with a tilde. */
const SETTLEMENT_OWNER = '~settlement';
/** They belong to their shard, not to a bucket, and never move. */
const SETTLEMENT_BUCKET = -1;

/** A decided deposit or withdrawal. */
export interface Movement {
  readonly type: Exclude<TransactionType, 'TRANSFER'>;
  /** Signed: positive in, negative out. */
  readonly amount: Decimal;
  readonly reference: string | null;
  readonly actor: string;
}

/**
 * The other side goes first within the statement, so that nothing is changed when it has no room; its row is
 * locked by its own update, as the last lock of the shard, because the account's is held already. The instant
 * is taken when both are locked, and is never before what happened to either last, whatever clocks say: entries of an
 * account are in time in the order of their versions.
 */
const POST_SQL = `
  WITH settlement AS (
    INSERT INTO finance.accounts AS existing
      (tenant_id, id, user_id, bucket, kind, currency, balance, version, updated_at)
    SELECT $1, $4::uuid, '${SETTLEMENT_OWNER}', ${SETTLEMENT_BUCKET}, 'SETTLEMENT', $3, -$5::numeric, 1,
           greatest(updated_at, date_trunc('milliseconds', clock_timestamp()))
    FROM finance.accounts WHERE tenant_id = $1 AND id = $2
    ON CONFLICT (tenant_id, currency) WHERE kind = 'SETTLEMENT' DO UPDATE
      SET balance = existing.balance + excluded.balance, version = existing.version + 1,
          updated_at = greatest(
            existing.updated_at, excluded.updated_at, date_trunc('milliseconds', clock_timestamp())
          )
      WHERE abs(existing.balance + excluded.balance) < 1e20
    RETURNING id, user_id, bucket, balance, version, updated_at
  ), account AS (
    UPDATE finance.accounts AS moved
    SET balance = moved.balance + $5::numeric, version = moved.version + 1,
        updated_at = settlement.updated_at
    FROM settlement
    WHERE moved.tenant_id = $1 AND moved.id = $2
    RETURNING moved.id, moved.user_id, moved.bucket, moved.balance, moved.version, moved.updated_at AS executed_at
  )
  INSERT INTO finance.transactions
    (tenant_id, id, user_id, bucket, account_id, type, status, amount, balance_after, account_version,
     posting_id, reference, actor, executed_at)
  SELECT $1, $6::uuid, user_id, bucket, id, $7, 'COMPLETED', $5::numeric, balance, version,
         $9::uuid, $10, $11, executed_at
  FROM account
  UNION ALL
  SELECT $1, $8::uuid, settlement.user_id, settlement.bucket, settlement.id, $7, 'COMPLETED', -$5::numeric,
         settlement.balance, settlement.version, $9::uuid, $10, $11, executed_at
  FROM settlement, account
  RETURNING id, account_id AS "accountId", balance_after AS "balanceAfter", account_version AS "accountVersion", executed_at AS "executedAt"`;

interface PostedRow {
  readonly id: string;
  readonly accountId: string;
  readonly balanceAfter: string;
  readonly accountVersion: string;
  readonly executedAt: Date;
}

/**
 * Posts a movement between an account and the settlement account of its currency on this shard, which is
 * made the first time: both balances, both versions and both entries, in one statement.
 *
 * @param account locked in this transaction, and found able to take the movement
 * @param mintId makes an id of the account's bucket
 * @returns the account's entry; undefined, with nothing changed, when the settlement account would leave the
 *   range of amounts
 */
export async function postMovement(
  manager: EntityManager,
  account: Account,
  movement: Movement,
  mintId: () => string,
): Promise<LedgerTransaction | undefined> {
  const { type, amount, reference, actor } = movement;
  const [id, postingId] = [mintId(), mintId()];
  const params = [
    ...[account.tenantId, account.id, account.currency, mintId(), amount.toFixed()],
    ...[id, type, mintId(), postingId, reference, actor],
  ];
  const rows = await queryDeclaring<PostedRow[]>(manager, POST_SQL, params, (posted) => [
    { table: 'finance.accounts', ids: posted.map(({ accountId }) => accountId) },
    { table: 'finance.transactions', ids: posted.map((entry) => entry.id) },
  ]);
  const posted = rows.find((row) => row.id === id);
  if (posted === undefined) return undefined;
  return Object.assign(new LedgerTransaction(), {
    tenantId: account.tenantId,
    id,
    userId: account.userId,
    bucket: account.bucket,
    accountId: account.id,
    type,
    status: 'COMPLETED' as const,
    amount,
    balanceAfter: new Decimal(posted.balanceAfter),
    accountVersion: posted.accountVersion,
    postingId,
    transferId: null,
    reference,
    actor,
    executedAt: posted.executedAt,
  });
}
