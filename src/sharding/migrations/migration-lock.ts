import { setTimeout as sleep } from 'node:timers/promises';
import { ShardUnavailableError } from '../../common/gateway-error.js';
import type { SqlExecutor } from '../../common/sql-executor.js';

/** "shardgat" in ASCII, less its top bit: one lock per database, unlikely to be anybody else's. */
const LOCK_KEY = '0x7368617264676174';
const POLL_INTERVAL_MS = 100;

/**
 * Asked for again and again instead of waited for in the server: a session that waits there holds a
 * snapshot, and CREATE INDEX CONCURRENTLY of the holder would wait for it in turn, for ever.
 */
const TRY_LOCK_SQL = `select pg_try_advisory_lock($1) as locked`;

interface LockWait {
  readonly shardId: string;
  readonly timeoutMs: number;
  readonly signal: AbortSignal | undefined;
  /** Called once, when somebody else holds the lock. */
  readonly onWait: () => void;
}

/**
 * Takes the migration lock for the rest of the session behind `sql`. It goes with that session, so a holder
 * that dies never leaves it behind.
 *
 * @throws ShardUnavailableError when another process keeps the lock for longer than `timeoutMs`
 */
export async function takeMigrationLock(sql: SqlExecutor, wait: LockWait): Promise<void> {
  const deadline = performance.now() + wait.timeoutMs;
  for (let attempt = 0; ; attempt += 1) {
    wait.signal?.throwIfAborted();
    const [row] = await sql.query<{ locked: boolean }>(TRY_LOCK_SQL, [BigInt(LOCK_KEY).toString()]);
    if (row?.locked === true) return;
    if (attempt === 0) wait.onWait();
    if (performance.now() >= deadline) {
      throw new ShardUnavailableError(
        wait.shardId,
        `another process has been migrating it for more than ${wait.timeoutMs} ms; wait for it, or end it and run migrate again.`,
      );
    }
    await sleep(POLL_INTERVAL_MS, undefined, wait.signal === undefined ? {} : { signal: wait.signal });
  }
}
