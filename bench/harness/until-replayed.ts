import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';

const WRITTEN_SQL = 'SELECT pg_current_wal_flush_lsn()::text AS position';
const REPLAYED_SQL = 'SELECT pg_last_wal_replay_lsn() >= $1::pg_lsn AS "isReplayed"';
const ASK_EVERY_MS = 50;
const REPLAYED_WITHIN_MS = 60_000;

/** Waits until replicas show what their primary has written by now. @throws Error when they do not get there */
export async function untilReplayed(primaryUrl: string, replicaUrls: readonly string[]): Promise<void> {
  const position = await ask<{ position: string }>(primaryUrl, WRITTEN_SQL);
  for (const url of replicaUrls) {
    const giveUpAt = performance.now() + REPLAYED_WITHIN_MS;
    for (let isReplayed = false; !isReplayed;) {
      if (performance.now() > giveUpAt) throw new Error('A replica does not catch up with its primary.');
      ({ isReplayed } = await ask<{ isReplayed: boolean }>(url, REPLAYED_SQL, [position.position]));
      if (!isReplayed) await delay(ASK_EVERY_MS);
    }
  }
}

async function ask<Row extends pg.QueryResultRow>(
  url: string,
  sql: string,
  params: unknown[] = [],
): Promise<Row> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const { rows } = await client.query<Row>(sql, params);
    const [row] = rows;
    if (row === undefined) throw new Error('A server did not answer a question about itself.');
    return row;
  } finally {
    await client.end();
  }
}
