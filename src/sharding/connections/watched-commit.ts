import type pg from 'pg';
import type { ShardPosition } from '../../common/shard-position.js';
import type { SqlRow } from '../../common/sql-executor.js';
import { CACHE_CHANNEL } from './cache-channel.js';
import type { PooledConnection } from './connection-pool.js';
import { isConnectionFailure } from './failure.js';
import type { TransactionWatch } from './tenant-session.js';

/**
 * Read on the connection that committed, after the commit: everything that it committed lies before this
 * position. The name of a WAL file begins with its timeline in eight hexadecimal digits. It is sent without a name to
 * be parsed under: a connection that a caller's SQL was on has forgotten all names.
 */
export const COMMITTED_POSITION_SQL = `
  SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn AS lsn,
         ('x' || left(pg_walfile_name(pg_current_wal_insert_lsn()), 8))::bit(32)::int AS timeline`;

/** What is notified in a transaction arrives when it is committed, and not at all when it is not. */
export const NOTIFY_SQL = `SELECT pg_catalog.pg_notify('${CACHE_CHANNEL}', payload) FROM unnest($1::text[]) AS payload`;

/** What {@link COMMITTED_POSITION_SQL} answers. */
export interface CommittedRow extends SqlRow {
  readonly lsn: string;
  readonly timeline: number;
}

/** The position in its answer. */
export function committedPosition({ timeline, lsn }: CommittedRow): Omit<ShardPosition, 'shardId'> {
  return { timeline, lsn: BigInt(lsn) };
}

/**
 * Commits, and learns how far that reaches. Whoever follows the transaction is told before this resolves.
 *
 * @throws Error when the transaction had failed before, and nothing of it was kept
 */
export async function commitWatched(
  connection: PooledConnection,
  watch: TransactionWatch | undefined,
): Promise<void> {
  const notices = watch?.committing() ?? [];
  const [, done, position] = await Promise.allSettled([
    // Should it fail, so does the commit.
    notices.length > 0 ? connection.query(NOTIFY_SQL, [notices]) : undefined,
    connection.query('COMMIT'),
    watch && connection.query<CommittedRow>(COMMITTED_POSITION_SQL),
  ]);
  if (done.status === 'rejected') {
    if (isConnectionFailure(done.reason)) watch?.unknown(processIdOf(connection));
    else watch?.undone();
    throw done.reason;
  }
  // COMMIT of a failed transaction succeeds, with this tag, and keeps nothing.
  if (done.value.command !== 'COMMIT') {
    watch?.undone();
    throw new Error('The transaction had failed before its commit; nothing was kept.');
  }
  const row = position.status === 'fulfilled' ? position.value?.rows[0] : undefined;
  if (row === undefined) watch?.unknown(processIdOf(connection));
  const late = row && watch?.committed(committedPosition(row));
  if (late !== undefined && late.length > 0) {
    // The write is kept, whatever becomes of this.
    await connection.query(NOTIFY_SQL, [late]).catch(() => undefined);
  }
  if (position.status === 'rejected') throw position.reason;
}

/** Of the server's process that a connection talks to; the driver's published types leave it out. */
export function processIdOf(connection: pg.PoolClient & { readonly processID?: unknown }): number {
  return Number(connection.processID ?? 0);
}
