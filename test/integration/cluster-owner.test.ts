import { execFile } from 'node:child_process';
import { copyFile, mkdir, readdir, readFile, readlink, rename, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Client } from 'pg';
import type { ClusterConfig } from '../../src/sharding/cluster/cluster-config.js';
import { listProcesses } from '../../src/sharding/cluster/process-table.js';
import { eventually } from '../support/eventually.js';
import type { OwnerProcess } from '../support/owner-process.js';
import { findUnprivilegedUser } from '../support/unprivileged.js';
import { OwnerSite } from './cluster-owner-site.js';

const runFile = promisify(execFile);

/** A stopped cluster's data with one row in `kept`. */
let template: OwnerSite;

beforeAll(async () => {
  template = await OwnerSite.make();
  const owner = await template.startOwner();
  await onPrimary(
    owner,
    'create table kept (id serial); grant select on kept to public; insert into kept values (default)',
  );
  await stopOwner(owner);
}, 60_000);

afterAll(async () => {
  await template.close();
}, 30_000);

/** A test with a site of its own. These tests wait for processes: several do at the same time. */
function onSite(make: () => Promise<OwnerSite>, test: (site: OwnerSite) => Promise<void>) {
  return async (): Promise<void> => {
    const site = await make();
    try {
      await test(site);
    } finally {
      await site.close();
    }
  };
}

/** A test that begins with a copy of the template's data. */
function onCopy(test: (site: OwnerSite) => Promise<void>) {
  return onSite(() => OwnerSite.copyOf(template), test);
}

/** A test that begins with nothing. */
function onEmptySite(test: (site: OwnerSite) => Promise<void>) {
  return onSite(() => OwnerSite.make(), test);
}

async function stopOwner(owner: OwnerProcess): Promise<void> {
  owner.child.kill('SIGTERM');
  await owner.exited;
}

async function readConfig(owner: OwnerProcess): Promise<ClusterConfig> {
  return JSON.parse(await readFile(owner.report.configPath!, 'utf8')) as ClusterConfig;
}

async function onPrimary(owner: OwnerProcess, sql: string): Promise<unknown[]> {
  const { shards } = await readConfig(owner);
  return run(shards[0]!.primary.adminUrl, sql);
}

async function run(url: string, sql: string): Promise<unknown[]> {
  const client = new Client({ connectionString: url });
  client.on('error', () => undefined);
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(sql)).rows;
  } finally {
    await client.end();
  }
}

/** A row written before must be there, on the primary and on the replica, and a new one must stream. */
async function expectWhole(owner: OwnerProcess, expected: number): Promise<void> {
  expect(owner.report.error).toBeUndefined();
  expect(await onPrimary(owner, 'select count(*)::int as n from kept')).toEqual([{ n: expected }]);
  await onPrimary(owner, 'insert into kept values (default)');
  const { shards } = await readConfig(owner);
  await eventually('the replica shows old and new rows', async () => {
    const rows = await run(shards[0]!.replicas[0]!.url, 'select count(*)::int as n from kept');
    return (rows as { n: number }[])[0]?.n === expected + 1;
  });
}

describe('the owner of an embedded cluster', () => {
  it.concurrent(
    'finds data and ports as they were after a stop, and leaves neither processes nor a configuration',
    onCopy(async (site) => {
      const first = await site.startOwner();
      await stopOwner(first);
      expect(await site.runningPids()).toEqual([]);
      expect((await readdir(site.dataDir)).sort()).toEqual(['cluster.json', 'nodes', 'secrets.json']);
      const second = await site.startOwner();
      expect(second.report.nodes?.map(({ port }) => port)).toEqual(
        first.report.nodes?.map(({ port }) => port),
      );
      await expectWhole(second, 1);
    }),
    90_000,
  );

  it.concurrent(
    'refuses a second owner and tells it how to join',
    onCopy(async (site) => {
      const first = await site.startOwner();
      const second = await site.startOwner();
      expect(second.report.error).toContain(`Process ${first.child.pid!} owns this data directory`);
      expect(second.report.error).toContain(`SHARDGATE_CONFIG='${first.report.configPath!}'`);
      await expect(onPrimary(first, 'select 1 as one')).resolves.toEqual([{ one: 1 }]);
    }),
    90_000,
  );

  it.concurrent(
    'chooses another port when somebody took the one of the last run',
    onCopy(async (site) => {
      // The template's owner is the last run; only this test knows of its ports.
      await copyFile(template.manifestPath, site.manifestPath);
      const manifest = JSON.parse(await readFile(site.manifestPath, 'utf8')) as {
        ports: Record<string, number>;
      };
      expect(manifest.ports.s0).toBeGreaterThan(0);
      const server = createServer();
      await new Promise<void>((resolve) => server.listen(manifest.ports.s0, '127.0.0.1', resolve));
      const owner = await site.startOwner();
      await new Promise((resolve) => server.close(resolve));
      expect(owner.report.nodes?.find(({ id }) => id === 's0')?.port).not.toBe(manifest.ports.s0);
      await expectWhole(owner, 1);
    }),
    90_000,
  );

  it.concurrent(
    'adds shards and replicas to existing data, and refuses to leave a shard out',
    onCopy(async (site) => {
      const grown = await site.startOwner({ shards: 2, replicas: 2 });
      expect(grown.report.nodes?.map(({ id }) => id)).toEqual([
        'catalog',
        's0',
        's0.r1',
        's0.r2',
        's1',
        's1.r1',
        's1.r2',
      ]);
      await expectWhole(grown, 1);
      await stopOwner(grown);
      const shrunk = await site.startOwner({ shards: 1 });
      expect(shrunk.report.error).toContain('holds 2 shards and 1 were asked for');
    }),
    90_000,
  );
});

describe('the owner of an embedded cluster that is killed', () => {
  it.concurrent(
    'takes its servers with it when it is killed, and its configuration too',
    onCopy(async (site) => {
      const owner = await site.startOwner();
      owner.child.kill('SIGKILL');
      await site.nothingRuns();
      await expect(stat(owner.report.configPath!)).rejects.toMatchObject({ code: 'ENOENT' });
      await expectWhole(await site.startOwner(), 1);
    }),
    90_000,
  );

  it.concurrent(
    'takes a disposable cluster’s directory with it when it is killed',
    onCopy(async (site) => {
      const owner = await site.startOwner({ disposable: true });
      owner.child.kill('SIGKILL');
      await eventually('the directory is gone', async () => (await readdir(site.scratch)).length === 0);
      expect(await site.runningPids()).toEqual([]);
    }),
    90_000,
  );

  it.concurrent(
    'comes back whole at once after everything was killed, owner, servers and watchdog',
    onCopy(async (site) => {
      const owner = await site.startOwner();
      owner.child.kill('SIGKILL');
      for (const pid of await site.runningPids()) process.kill(pid, 'SIGKILL');
      await expectWhole(await site.startOwner(), 1);
    }),
    90_000,
  );

  it.concurrent(
    'ends servers that outlived an owner whose watchdog was killed with it',
    onCopy(async (site) => {
      const owner = await site.startOwner();
      const watchdogs = (await listProcesses()).filter(
        ({ commandLine }) => commandLine.includes('shardgate-watchdog') && commandLine.includes(site.scratch),
      );
      owner.child.kill('SIGSTOP');
      for (const { pid } of watchdogs) process.kill(pid, 'SIGKILL');
      owner.child.kill('SIGKILL');
      await owner.exited;
      expect(await site.runningPids()).not.toEqual([]);
      await expectWhole(await site.startOwner(), 1);
    }),
    90_000,
  );
});

describe('the owner of an embedded cluster whose data cannot be used', () => {
  it.concurrent(
    'refuses to make data anew that ought to be there',
    onCopy(async (site) => {
      await rename(join(site.dataDir, 'nodes', 's0'), join(site.scratch, 'elsewhere'));
      const second = await site.startOwner();
      expect(second.report.error).toContain('The data of s0 is missing');
      await site.nothingRuns();
    }),
    90_000,
  );

  it.concurrent(
    'says what to do about a data directory that cannot be used',
    onEmptySite(async (site) => {
      await writeFile(join(site.scratch, 'file'), '');
      const inTheWay = await site.startOwner({ dataDir: join(site.scratch, 'file', 'data') });
      expect(inTheWay.report.error).toContain('a part of the path is a file; choose another data directory');
      const tooLong = await site.startOwner({
        dataDir: join(site.scratch, ...Array.from({ length: 10 }, () => 'x'.repeat(100))),
      });
      expect(tooLong.report.error).toContain('choose a shorter one');
      const noServer = await site.startOwner({ binDir: site.scratch });
      expect(noServer.report.error).toContain('does not run on this machine');
      await site.nothingRuns();
    }),
    90_000,
  );
});

const nobody = findUnprivilegedUser();
if (nobody !== undefined) {
  describe('the owner of an embedded cluster, as root and not', () => {
    it.concurrent(
      'runs as an ordinary user, and root goes on with that user’s data',
      onCopy(async (site) => {
        await runFile('chown', ['-R', `${nobody.uid}:${nobody.gid}`, site.scratch]);
        const ordinary = await site.startOwner({}, nobody);
        await expectWhole(ordinary, 1);
        await stopOwner(ordinary);
        await expectWhole(await site.startOwner(), 2);
      }),
      90_000,
    );

    it.concurrent(
      'tells an ordinary user that the data is another one’s',
      onCopy(async (site) => {
        await runFile('chown', ['-R', `${nobody.uid}:${nobody.gid}`, site.dataDir]);
        await runFile('chown', ['-R', '12345', join(site.dataDir, 'nodes')]);
        const ordinary = await site.startOwner({}, nobody);
        expect(ordinary.report.error).toContain('start as that user or as root');
      }),
      90_000,
    );

    it.concurrent(
      'keeps root’s data where the servers’ user can reach it, and finds it again',
      onEmptySite(async (site) => {
        const closed = join(site.scratch, 'closed');
        await mkdir(closed, { mode: 0o700 });
        const dataDir = join(closed, 'data');
        const first = await site.startOwner({ dataDir });
        expect(first.report.error).toBeUndefined();
        await onPrimary(first, 'create table found_again (n int)');
        await stopOwner(first);
        const second = await site.startOwner({ dataDir, disposable: true });
        expect(await onPrimary(second, 'select n from found_again')).toEqual([]);
        const outside = await readlink(join(dataDir, 'nodes'));
        await stopOwner(second);
        await expect(stat(outside)).rejects.toMatchObject({ code: 'ENOENT' });
        await expect(stat(dataDir)).rejects.toMatchObject({ code: 'ENOENT' });
      }),
      90_000,
    );
  });
}
