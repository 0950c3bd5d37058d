import { execFileSync } from 'node:child_process';
import {
  chmod,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  readlink,
  rename,
  rm,
  stat,
  writeFile,
} from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Client } from 'pg';
import type { ClusterConfig } from '../../src/sharding/cluster/cluster-config.js';
import type { EmbeddedClusterOptions } from '../../src/sharding/cluster/cluster-options.js';
import { listProcesses } from '../../src/sharding/cluster/process-table.js';
import { eventually } from '../support/eventually.js';
import { startOwnerProcess, type OwnerProcess } from '../support/owner-process.js';
import { findUnprivilegedUser } from '../support/unprivileged.js';

/** A stopped cluster's data with one row in `kept`: tests start from copies, which saves them initdb. */
let template: string;
let scratch: string;
let owners: OwnerProcess[];

beforeAll(async () => {
  template = await newScratch();
  scratch = template;
  owners = [];
  const owner = await startOwner();
  await onPrimary(
    owner,
    'create table kept (id serial); grant select on kept to public; insert into kept values (default)',
  );
  await stopOwner(owner);
}, 60_000);

beforeEach(async () => {
  scratch = await newScratch();
  owners = [];
  execFileSync('cp', ['-Rp', join(template, 'data'), join(scratch, 'data')]);
});

afterEach(async () => {
  for (const { child, exited } of owners) {
    child.kill('SIGKILL');
    await exited;
  }
  await nothingRuns();
  await rm(scratch, { recursive: true, force: true });
}, 30_000);

afterAll(async () => {
  await rm(template, { recursive: true, force: true });
});

async function newScratch(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'shardgate-owner-'));
  // Another user may run the servers in there.
  await chmod(directory, 0o711);
  return directory;
}

/** Servers and watchdogs of this test: all have its directory on their command line. */
async function runningPids(): Promise<number[]> {
  return (await listProcesses())
    .filter(({ commandLine }) => / -D |shardgate-watchdog/.test(commandLine) && commandLine.includes(scratch))
    .map(({ pid }) => pid);
}

function nothingRuns(): Promise<boolean> {
  return eventually('no server and no watchdog is left', async () => (await runningPids()).length === 0);
}

async function startOwner(
  options: Partial<EmbeddedClusterOptions> = {},
  ids?: { uid: number; gid: number },
): Promise<OwnerProcess> {
  const defaults = { dataDir: join(scratch, 'data'), shards: 1, replicas: 1, fsync: false };
  const owner = await startOwnerProcess({ ...defaults, ...options }, ids);
  owners.push(owner);
  return owner;
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
  it('finds data and ports as they were after a stop, and leaves neither processes nor a configuration', async () => {
    const first = await startOwner();
    await stopOwner(first);
    expect(await runningPids()).toEqual([]);
    expect((await readdir(join(scratch, 'data'))).sort()).toEqual(['cluster.json', 'nodes', 'secrets.json']);
    const second = await startOwner();
    expect(second.report.nodes?.map(({ port }) => port)).toEqual(first.report.nodes?.map(({ port }) => port));
    await expectWhole(second, 1);
  }, 60_000);

  it('refuses a second owner and tells it how to join', async () => {
    const first = await startOwner();
    const second = await startOwner();
    expect(second.report.error).toContain(`Process ${first.child.pid!} owns this data directory`);
    expect(second.report.error).toContain(`SHARDGATE_CONFIG='${first.report.configPath!}'`);
    await expect(onPrimary(first, 'select 1 as one')).resolves.toEqual([{ one: 1 }]);
  }, 60_000);

  it('takes its servers with it when it is killed, and its configuration too', async () => {
    const owner = await startOwner();
    owner.child.kill('SIGKILL');
    await nothingRuns();
    await expect(stat(owner.report.configPath!)).rejects.toMatchObject({ code: 'ENOENT' });
    await expectWhole(await startOwner(), 1);
  }, 60_000);

  it('takes a disposable cluster’s directory with it when it is killed', async () => {
    const owner = await startOwner({ disposable: true });
    owner.child.kill('SIGKILL');
    await eventually('the directory is gone', async () => (await readdir(scratch)).length === 0);
    expect(await runningPids()).toEqual([]);
  }, 60_000);

  it('comes back whole at once after everything was killed, owner, servers and watchdog', async () => {
    const owner = await startOwner();
    owner.child.kill('SIGKILL');
    for (const pid of await runningPids()) process.kill(pid, 'SIGKILL');
    await expectWhole(await startOwner(), 1);
  }, 60_000);

  it('ends servers that outlived an owner whose watchdog was killed with it', async () => {
    const owner = await startOwner();
    const watchdogs = (await listProcesses()).filter(
      ({ commandLine }) => commandLine.includes('shardgate-watchdog') && commandLine.includes(scratch),
    );
    owner.child.kill('SIGSTOP');
    for (const { pid } of watchdogs) process.kill(pid, 'SIGKILL');
    owner.child.kill('SIGKILL');
    await owner.exited;
    expect(await runningPids()).not.toEqual([]);
    await expectWhole(await startOwner(), 1);
  }, 60_000);

  it('chooses another port when somebody took the one of the last run', async () => {
    const manifestPath = join(scratch, 'data', 'cluster.json');
    const manifest = JSON.parse(await readFile(manifestPath, 'utf8')) as { ports: Record<string, number> };
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(manifest.ports.s0, '127.0.0.1', resolve));
    const owner = await startOwner();
    await new Promise((resolve) => server.close(resolve));
    expect(owner.report.nodes?.find(({ id }) => id === 's0')?.port).not.toBe(manifest.ports.s0);
    await expectWhole(owner, 1);
  }, 60_000);

  it('adds shards and replicas to existing data, and refuses to leave a shard out', async () => {
    const grown = await startOwner({ shards: 2, replicas: 2 });
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
    const shrunk = await startOwner({ shards: 1 });
    expect(shrunk.report.error).toContain('holds 2 shards and 1 were asked for');
  }, 60_000);

  it('refuses to make data anew that ought to be there', async () => {
    await rename(join(scratch, 'data', 'nodes', 's0'), join(scratch, 'elsewhere'));
    const second = await startOwner();
    expect(second.report.error).toContain('The data of s0 is missing');
    await nothingRuns();
  }, 60_000);

  it('says what to do about a data directory that cannot be used', async () => {
    await writeFile(join(scratch, 'file'), '');
    const inTheWay = await startOwner({ dataDir: join(scratch, 'file', 'data') });
    expect(inTheWay.report.error).toContain('a part of the path is a file; choose another data directory');
    const tooLong = await startOwner({
      dataDir: join(scratch, ...Array.from({ length: 10 }, () => 'x'.repeat(100))),
    });
    expect(tooLong.report.error).toContain('choose a shorter one');
    const noServer = await startOwner({ binDir: scratch });
    expect(noServer.report.error).toContain('does not run on this machine');
    await nothingRuns();
  }, 60_000);
});

const nobody = findUnprivilegedUser();
if (nobody !== undefined) {
  describe('the owner of an embedded cluster, as root and not', () => {
    it('runs as an ordinary user, and root goes on with that user’s data', async () => {
      execFileSync('chown', ['-R', `${nobody.uid}:${nobody.gid}`, scratch]);
      const ordinary = await startOwner({}, nobody);
      await expectWhole(ordinary, 1);
      await stopOwner(ordinary);
      await expectWhole(await startOwner(), 2);
    }, 60_000);

    it('tells an ordinary user that the data is another one’s', async () => {
      execFileSync('chown', ['-R', `${nobody.uid}:${nobody.gid}`, join(scratch, 'data')]);
      execFileSync('chown', ['-R', '12345', join(scratch, 'data', 'nodes')]);
      const ordinary = await startOwner({}, nobody);
      expect(ordinary.report.error).toContain('start as that user or as root');
    }, 60_000);

    it('keeps root’s data where the servers’ user can reach it, and finds it again', async () => {
      const closed = join(scratch, 'closed');
      await mkdir(closed, { mode: 0o700 });
      const dataDir = join(closed, 'data');
      const first = await startOwner({ dataDir });
      expect(first.report.error).toBeUndefined();
      await onPrimary(first, 'create table found_again (n int)');
      await stopOwner(first);
      const second = await startOwner({ dataDir, disposable: true });
      expect(await onPrimary(second, 'select n from found_again')).toEqual([]);
      const outside = await readlink(join(dataDir, 'nodes'));
      await stopOwner(second);
      await expect(stat(outside)).rejects.toMatchObject({ code: 'ENOENT' });
      await expect(stat(dataDir)).rejects.toMatchObject({ code: 'ENOENT' });
    }, 60_000);
  });
}
