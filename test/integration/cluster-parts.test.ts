import { mkdir, mkdtemp, readlink, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { Backoff } from '../../src/sharding/cluster/backoff.js';
import { nextManifest } from '../../src/sharding/cluster/cluster-manifest.js';
import { findFreePort } from '../../src/sharding/cluster/free-port.js';
import { completeLibraryLinks, missingLibraryLinks } from '../../src/sharding/cluster/npm-binaries.js';
import { startTimeOf } from '../../src/sharding/cluster/process-table.js';
import { cannotFollow } from '../../src/sharding/cluster/replication-state.js';

describe('the parts of an embedded cluster', () => {
  it('waits longer before each restart, up to a limit, until a server was stable again', () => {
    const backoff = new Backoff(100, 500, 10_000);
    expect([5, 5, 5, 5, 5].map((ranForMs) => backoff.next(ranForMs))).toEqual([100, 200, 400, 500, 500]);
    expect(backoff.next(10_000)).toBe(100);
    expect(backoff.next(5)).toBe(200);
  });

  it('makes the links between libraries that an install script was not allowed to make', async () => {
    const nativeDir = await mkdtemp(join(tmpdir(), 'shardgate-native-'));
    try {
      await mkdir(join(nativeDir, 'lib'));
      await writeFile(join(nativeDir, 'lib', 'libx.so.1.2'), '');
      await writeFile(
        join(nativeDir, 'pg-symlinks.json'),
        JSON.stringify([{ source: 'native/lib/libx.so.1.2', target: 'native/lib/libx.so.1' }]),
      );
      expect(await missingLibraryLinks(nativeDir)).toHaveLength(1);
      await completeLibraryLinks(nativeDir);
      expect(await readlink(join(nativeDir, 'lib', 'libx.so.1'))).toBe('libx.so.1.2');
      expect(await missingLibraryLinks(nativeDir)).toEqual([]);
    } finally {
      await rm(nativeDir, { recursive: true, force: true });
    }
  });

  it('takes the preferred port when it is free, and another one when it is not', async () => {
    const preferred = await findFreePort(undefined, new Set());
    expect(await findFreePort(preferred, new Set())).toBe(preferred);
    expect(await findFreePort(preferred, new Set([preferred]))).not.toBe(preferred);
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(preferred, '127.0.0.1', resolve));
    expect(await findFreePort(preferred, new Set())).not.toBe(preferred);
    await new Promise((resolve) => server.close(resolve));
  });

  it('tells a process from a later one of the same pid, and knows when there is none', async () => {
    expect(await startTimeOf(process.pid)).toBe(await startTimeOf(process.pid));
    expect(await startTimeOf(process.pid)).not.toBe(await startTimeOf(1));
    expect(await startTimeOf(2 ** 22 + 1)).toBeUndefined();
  });

  it('goes on with the shards and replicas of the last start when none are asked for', () => {
    const previous = { shards: 3, replicas: 2, postgresMajor: 18, ports: { s0: 20_000 } };
    expect(nextManifest(previous, {}, 18)).toEqual(previous);
    expect(nextManifest(undefined, {}, 18)).toMatchObject({ shards: 2, replicas: 1 });
    expect(() => nextManifest(previous, {}, 17)).toThrow('made by PostgreSQL 18');
  });

  it('tells a replica that waits from one that can never catch up', () => {
    expect(cannotFollow('could not connect to the primary server: Connection refused')).toBe(false);
    expect(
      cannotFollow('ERROR:  requested WAL segment 000000010000000000000009 has already been removed'),
    ).toBe(true);
  });
});
