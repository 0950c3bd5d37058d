import { beforeAll, describe, expect, it } from '@jest/globals';
import { judgeLog } from '../../src/cli/doctor/judge-log.js';
import { readLogFacts } from '../../src/cli/doctor/log-facts.js';
import { migrateShards } from '../../src/sharding/migrations/migrator.js';
import type { MigrationTarget } from '../../src/sharding/migrations/migration-plan.js';
import { notesPlan } from '../support/notes-migrations.js';
import { ownDatabases, runAsAdmin } from '../support/own-databases.js';
import { TestConnection } from '../support/scratch-shards.js';

const TABLES = ['finance.accounts', 'finance.transactions', 'notes.notes'];
const PLAN = notesPlan('11111111-1111-4111-8111-111111111111');

let target: MigrationTarget;
let replicationUrl: string;
let gatewayUrl: string;
let gateway: TestConnection;

async function migrate(isFollowed: boolean): Promise<void> {
  const [report] = await migrateShards([target], { ...PLAN, isFollowed });
  expect(report?.error).toBeUndefined();
}

async function published(): Promise<unknown[]> {
  const { rows } = await runAsAdmin(
    target.adminUrl,
    `SELECT schemaname || '.' || tablename AS "table", array_to_string(attnames, ' ') AS columns
     FROM pg_publication_tables WHERE pubname = 'shardgate_cache' ORDER BY 1`,
  );
  return rows as unknown[];
}

async function findings(url: string): Promise<string[]> {
  const facts = await readLogFacts(gateway, url);
  return judgeLog(facts!, { shardId: 's0', processes: 1, tables: TABLES }).map(({ what }) => what);
}

beforeAll(async () => {
  const [shard] = (await ownDatabases()).shards;
  const { url, adminUrl } = shard!.primary;
  ({ replicationUrl } = shard!.primary);
  gatewayUrl = url;
  gateway = await TestConnection.open(url);
  target = { shardId: shard!.id, adminUrl, gatewayRole: new URL(url).username };
});

describe('what a shard publishes', () => {
  it('is nothing until a cache follows it, as doctor says', async () => {
    await migrate(false);
    expect(await published()).toEqual([]);
    expect(await findings(replicationUrl)).toEqual([`strict cache: not published: ${TABLES.join(', ')}`]);
  });

  it('is whose each row is, and which, and nothing else', async () => {
    await migrate(true);
    expect(await published()).toEqual(TABLES.map((table) => ({ table, columns: 'tenant_id id bucket' })));
    expect(await findings(replicationUrl)).toEqual([]);
    expect(await findings(gatewayUrl)).toEqual([expect.stringContaining('may not follow the log')]);
  });

  it('is put right by whoever migrates', async () => {
    await runAsAdmin(target.adminUrl, 'ALTER PUBLICATION shardgate_cache DROP TABLE notes.notes');
    expect(await findings(replicationUrl)).toEqual(['strict cache: not published: notes.notes']);
    await migrate(false);
    expect(await findings(replicationUrl)).toEqual([]);
  });
});
