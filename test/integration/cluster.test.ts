import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { Client, type QueryResultRow } from 'pg';
import type { EmbeddedCluster } from '../../src/sharding/cluster/embedded-cluster.js';
import { newClusterDirectory } from '../support/cluster-directory.js';
import { startOwnCluster } from '../support/cluster.js';
import { eventually } from '../support/eventually.js';
import { findOtherPostgres } from '../support/other-postgres.js';
import { TEST_TLS } from '../support/tls-files.js';

async function query<Row extends QueryResultRow>(url: string, sql: string): Promise<Row[]> {
  const client = new Client({ connectionString: url });
  client.on('error', () => undefined);
  await client.connect();
  try {
    return (await client.query<Row>(sql)).rows;
  } finally {
    await client.end();
  }
}

function replicaUrl(cluster: EmbeddedCluster, shard: number, replica = 0): string {
  return cluster.config.shards[shard]!.replicas[replica]!.url;
}

function adminUrl(cluster: EmbeddedCluster, shard: number): string {
  return cluster.config.shards[shard]!.primary.adminUrl;
}

function stateOf(cluster: EmbeddedCluster, nodeId: string): string | undefined {
  return cluster.nodes().find(({ id }) => id === nodeId)?.state;
}

/** Makes a table that everybody may read, with one row, and waits until a replica shows it. */
async function writeAndFollow(
  cluster: EmbeddedCluster,
  shard: number,
  table: string,
  replica = 0,
): Promise<void> {
  await query(
    adminUrl(cluster, shard),
    `create table ${table} as select 'seen' as word; grant select on ${table} to public`,
  );
  await eventually(`the replica shows ${table}`, async () => {
    const rows = await query(replicaUrl(cluster, shard, replica), `select word from ${table}`);
    return rows.length === 1;
  });
}

describe('an embedded cluster of three shards with two replicas each, in a directory with spaces', () => {
  let cluster: EmbeddedCluster;

  beforeAll(async () => {
    const dataDir = newClusterDirectory(" it's a \\ directory");
    cluster = await startOwnCluster({
      dataDir,
      shards: 3,
      replicas: 2,
      settings: { wal_keep_size: '0', max_wal_size: '32MB', min_wal_size: '32MB' },
      shared: { operator: 'joins' },
    });
  }, 60_000);

  it('has a catalog, and every shard a primary and its replicas', () => {
    expect(cluster.nodes().map(({ id }) => id)).toEqual([
      'catalog',
      ...['s0', 's0.r1', 's0.r2'],
      ...['s1', 's1.r1', 's1.r2'],
      ...['s2', 's2.r1', 's2.r2'],
    ]);
    expect(cluster.nodes().every(({ state, pid }) => state === 'running' && pid !== undefined)).toBe(true);
  });

  it('gives every shard a system identifier of its own, shared by its replicas', async () => {
    const sql = 'select system_identifier::text as id from pg_control_system()';
    const primaries = await Promise.all(
      cluster.config.shards.map(
        async ({ primary }) => (await query<{ id: string }>(primary.adminUrl, sql))[0]?.id,
      ),
    );
    const replica = await query<{ id: string }>(replicaUrl(cluster, 0, 1), sql);
    expect(new Set(primaries).size).toBe(3);
    expect(replica[0]?.id).toBe(primaries[0]);
  });

  it('streams what is written on a primary to each of its replicas', async () => {
    await writeAndFollow(cluster, 1, 'streamed_first', 0);
    await writeAndFollow(cluster, 1, 'streamed_second', 1);
    await expect(query(replicaUrl(cluster, 1), 'create table refused (n int)')).rejects.toMatchObject({
      code: '25006',
    });
  });

  it('gives the gateway a login without rights over roles, row-level security or databases', async () => {
    const rows = await query(
      cluster.config.catalog.url,
      `select rolname, rolsuper, rolcreaterole, rolcreatedb, rolreplication, rolbypassrls
         from pg_roles where rolname = current_user`,
    );
    expect(rows).toEqual([
      {
        rolname: 'shardgate_gateway',
        rolsuper: false,
        rolcreaterole: false,
        rolcreatedb: false,
        rolreplication: false,
        rolbypassrls: false,
      },
    ]);
  });

  it('is ready for two-phase commit and logical decoding', async () => {
    const rows = await query<{ prepared: number; level: string }>(
      adminUrl(cluster, 0),
      "select current_setting('max_prepared_transactions')::int as prepared, current_setting('wal_level') as level",
    );
    expect(rows[0]?.prepared).toBeGreaterThan(100);
    expect(rows[0]?.level).toBe('logical');
  });

  it('lets nobody in without the password', async () => {
    const url = new URL(cluster.config.catalog.adminUrl);
    url.password = 'guessed';
    await expect(query(url.href, 'select 1')).rejects.toMatchObject({ code: '28P01' });
  });

  it('leaves a private configuration with which further processes join', async () => {
    expect(JSON.parse(await readFile(cluster.configPath, 'utf8'))).toEqual({
      operator: 'joins',
      ...cluster.config,
    });
    expect((await stat(cluster.configPath)).mode & 0o777).toBe(0o600);
  });

  it('keeps statements and values out of the servers’ logs', async () => {
    await query(adminUrl(cluster, 2), 'create table pins (pin text primary key)');
    const statement = "insert into pins values ('pin-4711'), ('pin-4711')";
    await expect(query(adminUrl(cluster, 2), statement)).rejects.toMatchObject({ code: '23505' });
    await expect(query(adminUrl(cluster, 2), "select 'pin-4712'::int")).rejects.toMatchObject({
      code: '22P02',
    });
    const log = await readFile(join(cluster.configPath, '..', 'nodes', 's2', 'server.log'), 'utf8');
    expect(log).toContain('ready to accept connections');
    expect(log).not.toMatch(/4711|4712|insert into/);
  });

  it.each(['catalog', 's2', 's2.r1'])('starts %s again by itself after kill -9', async (nodeId) => {
    const pidBefore = cluster.nodes().find(({ id }) => id === nodeId)!.pid;
    await cluster.kill(nodeId);
    expect(stateOf(cluster, nodeId)).toBe('restarting');
    await eventually(`${nodeId} is back`, () => stateOf(cluster, nodeId) === 'running');
    expect(cluster.nodes().find(({ id }) => id === nodeId)!.pid).not.toBe(pidBefore);
    await writeAndFollow(cluster, 2, `after_${nodeId.replace('.', '_')}`, 0);
  });

  it('starts a server again though a busy backend outlived it', async () => {
    const busy = query(adminUrl(cluster, 2), 'select pg_sleep(600)').catch((error: unknown) => error);
    await eventually('the backend is busy', async () => {
      const rows = await query(
        adminUrl(cluster, 2),
        "select 1 from pg_stat_activity where query like '%sleep(600)'",
      );
      return rows.length > 0;
    });
    const pidBefore = cluster.nodes().find(({ id }) => id === 's2')!.pid!;
    process.kill(pidBefore, 'SIGKILL');
    await eventually('another server runs', () => {
      const { pid, state } = cluster.nodes().find(({ id }) => id === 's2')!;
      return state === 'running' && pid !== pidBefore;
    });
    await expect(busy).resolves.toHaveProperty('message');
    await expect(query(adminUrl(cluster, 2), 'select 1 as one')).resolves.toEqual([{ one: 1 }]);
  });

  it('keeps a held server down until it is released', async () => {
    await cluster.hold('s1');
    expect(stateOf(cluster, 's1')).toBe('held');
    await expect(query(adminUrl(cluster, 1), 'select 1')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    await cluster.release('s1');
    expect(stateOf(cluster, 's1')).toBe('running');
    await writeAndFollow(cluster, 1, 'after_release', 1);
  });

  it('freezes a server with SIGSTOP and lets it go on with SIGCONT', async () => {
    await cluster.kill('s0.r2', 'SIGSTOP');
    let answered = false;
    const answer = query(replicaUrl(cluster, 0, 1), 'select 1').then(() => {
      answered = true;
    });
    await writeAndFollow(cluster, 0, 'while_frozen', 0);
    expect(answered).toBe(false);
    await cluster.kill('s0.r2', 'SIGCONT');
    await answer;
    expect(answered).toBe(true);
  });

  it('changes settings of one running server', async () => {
    await cluster.setConfig('s0.r1', { recovery_min_apply_delay: '1h' });
    await eventually('the replica has read its settings', async () => {
      const rows = await query<{ delay: string }>(
        replicaUrl(cluster, 0),
        "select current_setting('recovery_min_apply_delay') as delay",
      );
      return rows[0]?.delay === '1h';
    });
    await query(
      adminUrl(cluster, 0),
      'create table delayed as select 1 as n; grant select on delayed to public',
    );
    await expect(query(replicaUrl(cluster, 0), 'select n from delayed')).rejects.toMatchObject({
      code: '42P01',
    });
    await cluster.setConfig('s0.r1', { recovery_min_apply_delay: '0' });
    await eventually('the replica catches up', () => query(replicaUrl(cluster, 0), 'select n from delayed'));
  });

  it('makes a replica anew that was away for longer than its primary keeps the log', async () => {
    await cluster.hold('s0.r1');
    await query(adminUrl(cluster, 0), 'create table bulk (filler text)');
    for (let round = 0; round < 6; round += 1) {
      await query(
        adminUrl(cluster, 0),
        "insert into bulk select repeat('x', 1000) from generate_series(1, 5000)",
      );
      await query(adminUrl(cluster, 0), 'select pg_switch_wal()');
      await query(adminUrl(cluster, 0), 'checkpoint');
    }
    await cluster.release('s0.r1');
    await writeAndFollow(cluster, 0, 'after_rebuild', 0);
    const rows = await query<{ n: number }>(adminUrl(cluster, 0), 'select count(*)::int as n from bulk');
    expect(rows).toEqual([{ n: 30_000 }]);
  }, 60_000);
});

const otherPostgres = findOtherPostgres();
if (otherPostgres !== undefined) {
  describe('an embedded cluster on the PostgreSQL of this machine, with TLS', () => {
    it('streams, and accepts nothing but verified TLS', async () => {
      const cluster = await startOwnCluster({
        binDir: otherPostgres.binDir,
        shards: 1,
        replicas: 1,
        tls: TEST_TLS,
      });
      await writeAndFollow(cluster, 0, 'over_tls');
      const rows = await query(
        replicaUrl(cluster, 0),
        `select ssl, current_setting('server_version_num')::int / 10000 as major
           from pg_stat_ssl where pid = pg_backend_pid()`,
      );
      expect(rows).toEqual([{ ssl: true, major: otherPostgres.major }]);
      const plain = new URL(replicaUrl(cluster, 0));
      plain.search = '?sslmode=disable';
      await expect(query(plain.href, 'select 1')).rejects.toMatchObject({ code: '28000' });
    }, 60_000);
  });
}
