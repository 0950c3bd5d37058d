import { afterEach, beforeAll, expect, it } from '@jest/globals';
import type { ClusterConfig } from '../../src/sharding/cluster/cluster-config.js';
import { mintGid } from '../../src/sharding/transactions/gid.js';
import { eventually } from '../support/eventually.js';
import { GatewayProcess, OPERATOR_KEY, runCli } from '../support/gateway-process.js';
import { ownDatabases } from '../support/own-databases.js';
import { TestConnection } from '../support/scratch-shards.js';
import { checkLedgersAfterwards } from '../support/ledgers-afterwards.js';

const IN_DOUBT = '/v1/admin/transactions/in-doubt';
const FOREIGN_INSTALLATION = '00000000-0000-4000-8000-000000000000';

let config: ClusterConfig;
let gateway: GatewayProcess;
/** The gateway's own login on s1. */
let login: TestConnection;
let installationId: string;

beforeAll(async () => {
  config = await ownDatabases();
  checkLedgersAfterwards(config);
  gateway = await GatewayProcess.start({ config });
  const url = config.shards[1]?.primary.url ?? '';
  login = await TestConnection.open(url);
  const [row] = await login.query<{ id: string }>('SELECT installation_id AS id FROM shardgate.installation');
  installationId = row?.id ?? '';
}, 60_000);

afterEach(async () => {
  // What no recovery touches would keep the database from being dropped.
  for (const gid of await prepared()) await login.query(`ROLLBACK PREPARED '${gid}'`);
});

async function prepare(gid: string): Promise<void> {
  await login.query('BEGIN');
  await login.query(`INSERT INTO shardgate.commit_records VALUES ('row of ${gid}', 'abort')`);
  await login.query(`PREPARE TRANSACTION '${gid}'`);
}

async function prepared(): Promise<string[]> {
  const sql = 'SELECT gid FROM pg_prepared_xacts WHERE database = current_database() ORDER BY gid';
  return (await login.query<{ gid: string }>(sql)).map(({ gid }) => gid);
}

it('lists what is in doubt, and finishes it on command, but nothing of anybody else', async () => {
  const ours = mintGid({ installationId, firstShardId: 's0' });
  const theirs = mintGid({ installationId: FOREIGN_INSTALLATION, firstShardId: 's0' });
  const others = ['other software', `${ours}-`, theirs];
  for (const gid of [ours, ...others]) await prepare(gid);
  const answer = await gateway.request(IN_DOUBT, { key: OPERATOR_KEY });
  expect(answer.status).toBe(200);
  const list = (await answer.json()) as { items: { ageMs: number }[] };
  expect(list).toEqual({
    items: [{ gid: ours, shards: ['s1'], ageMs: expect.any(Number), decision: null }],
    nextCursor: null,
    missingShards: [],
  });
  const recovered = await runCli(['recover', '--older-than', '0'], { config });
  expect([recovered.code, recovered.stderr]).toEqual([0, '']);
  expect(recovered.stdout).toMatch(new RegExp(`^${ours} .* s1 +abort +finished$`, 'm'));
  expect(await prepared()).toEqual([...others].sort());
  const again = await runCli(['recover'], { config });
  expect([again.code, again.stdout.trim()]).toEqual([0, 'Nothing was in doubt.']);
});

it('finishes what is in doubt by itself', async () => {
  const ours = mintGid({ installationId, firstShardId: 's0' });
  await prepare(ours);
  await eventually('it is finished', async () => !(await prepared()).includes(ours));
  await eventually('it is counted', async () => {
    const metrics = await (await gateway.request('/metrics', {})).text();
    return (
      metrics.includes('shardgate_transactions_recovered_total{decision="abort"} 1\n') &&
      metrics.includes('shardgate_transactions_in_doubt 0\n')
    );
  });
}, 30_000);

it('says which shard could not be asked, and fails', async () => {
  const [first, second] = config.shards;
  if (first === undefined || second === undefined) throw new Error('There are two shards.');
  const away = new URL(second.primary.url);
  away.port = '9';
  const shards = [first, { ...second, primary: { ...second.primary, url: away.href } }];
  const { code, stdout } = await runCli(['recover', '--json'], { config: { ...config, shards } });
  expect(code).toBe(1);
  expect(JSON.parse(stdout)).toEqual({ recovered: [], left: [], missingShards: ['s1'] });
});
