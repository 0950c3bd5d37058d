import type { SqlExecutor } from '../../common/sql-executor.js';
import type { NamedStatement } from '../connections/statement-group.js';

/** What was decided about a transaction over several shards. */
export type Decision = 'commit' | 'abort';

/**
 * Runs in the first participant's own transaction, whose commit is the decision. It fails where recovery has
 * decided already.
 */
export const RECORD_COMMIT: NamedStatement = {
  name: 'shardgate_record_commit',
  text: `INSERT INTO shardgate.commit_records (gid, decision) VALUES ($1, 'commit')`,
};

/** Waits for a record whose transaction is under way. */
const RECORD_ABORT_SQL = `
  INSERT INTO shardgate.commit_records (gid, decision) VALUES ($1, 'abort') ON CONFLICT DO NOTHING`;

const DECISION_SQL = 'SELECT decision FROM shardgate.commit_records WHERE gid = $1';

const FORGET_SQL = 'DELETE FROM shardgate.commit_records WHERE gid = ANY ($1::text[])';

const OLD_RECORDS_SQL = `
  SELECT gid FROM shardgate.commit_records
  WHERE decided_at < clock_timestamp() - $1::int * interval '1 millisecond' LIMIT $2`;

/**
 * Decides for abort, unless it is decided already.
 *
 * @param first the first participant's primary, outside of transactions
 * @returns what is decided; undefined where the record was removed meanwhile, because everything is finished
 */
export async function decide(first: SqlExecutor, gid: string): Promise<Decision | undefined> {
  await first.query(RECORD_ABORT_SQL, [gid]);
  // A statement of its own: what the insert met may be newer than what it saw itself.
  return readDecision(first, gid);
}

/** What is decided by now; undefined where nothing is. */
export async function readDecision(first: SqlExecutor, gid: string): Promise<Decision | undefined> {
  const [row] = await first.query<{ decision: Decision }>(DECISION_SQL, [gid]);
  return row?.decision;
}

/** Removes records of transactions that are finished everywhere. */
export async function forgetRecords(first: SqlExecutor, gids: readonly string[]): Promise<void> {
  await first.query(FORGET_SQL, [gids]);
}

/** Gids of records that are older than this; so many at most. */
export async function oldRecords(first: SqlExecutor, olderThanMs: number, limit: number): Promise<string[]> {
  const rows = await first.query<{ gid: string }>(OLD_RECORDS_SQL, [olderThanMs, limit]);
  return rows.map(({ gid }) => gid);
}
