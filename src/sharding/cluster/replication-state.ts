import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'pg';

const IS_STREAMING = "select 1 from pg_stat_replication where application_name = $1 and state = 'streaming'";
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

/** Waits until a replica streams from its primary; false when it does not in that time, or the signal comes. */
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
    const deadline = performance.now() + timeoutMs;
    while (performance.now() < deadline && !signal.aborted) {
      const { rowCount } = await client.query(IS_STREAMING, [replicaId]);
      if (rowCount === 1) return true;
      await sleep(POLL_MS);
    }
    return false;
  } finally {
    await client.end();
  }
}
