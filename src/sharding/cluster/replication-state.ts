import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'pg';

const POSITION = 'select pg_current_wal_flush_lsn()::text as position';
const IS_STREAMING = `
  select coalesce(replay_lsn >= $2::pg_lsn, false) as "hasCaughtUp"
  from pg_stat_replication where application_name = $1 and state = 'streaming'
`;
/** A replica that is told to lag is not waited for any longer: it streams, which is what counts. */
const CATCH_UP_MS_MAX = 3_000;
const POLL_MS = 25;

/** What a replica logs when it will never catch up again, however long it tries. */
const HOPELESS = [
  /requested WAL segment \S+ has already been removed/,
  /database system identifier differs/,
  /is not in this server's history/,
  /is ahead of the WAL flush position of this server/,
  /new timeline \d+ forked off current database system timeline/,
];

/** Whether a replica's log says that it can no longer follow its primary and has to be made anew. */
export function cannotFollow(replicaLog: string): boolean {
  return HOPELESS.some((pattern) => pattern.test(replicaLog));
}

/**
 * Waits until a replica streams from its primary and shows what the primary had when this was called, roles
 * and databases among it; false when it does not stream in that time, or the signal comes.
 */
export async function waitForStreaming(
  primaryAdminUrl: string,
  replicaId: string,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<boolean> {
  const client = new Client({ connectionString: primaryAdminUrl });
  // The primary may end while this waits; the query in flight then fails as well.
  client.on('error', () => undefined);
  await client.connect();
  try {
    const startedAt = performance.now();
    const deadline = startedAt + timeoutMs;
    const { rows } = await client.query<{ position: string }>(POSITION);
    while (performance.now() < deadline && !signal.aborted) {
      const streams = await client.query<{ hasCaughtUp: boolean }>(IS_STREAMING, [
        replicaId,
        rows[0]?.position,
      ]);
      const [replica] = streams.rows;
      const isLate = performance.now() - startedAt > CATCH_UP_MS_MAX;
      if (replica !== undefined && (replica.hasCaughtUp || isLate)) return true;
      await sleep(POLL_MS);
    }
    return false;
  } finally {
    await client.end();
  }
}
