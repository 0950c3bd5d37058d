import { afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { PoolExhaustedError } from '../../src/index.js';
import { SILENT_LOG } from '../../src/common/log.js';
import { CatalogDatabase } from '../../src/sharding/connections/catalog-database.js';
import { ConnectionPool } from '../../src/sharding/connections/connection-pool.js';
import { NodeDataSource } from '../../src/sharding/connections/node-data-source.js';
import { NodeProbe } from '../../src/sharding/connections/node-probe.js';
import { OwnConnection } from '../../src/sharding/connections/own-connection.js';
import type { PoolOptions } from '../../src/sharding/connections/pool-options.js';
import { PreparedStatement } from '../../src/sharding/connections/prepared-statement.js';
import { readAlone } from '../../src/sharding/connections/scoped-read.js';
import type { TenantSession } from '../../src/sharding/connections/tenant-session.js';
import { eventually } from '../support/eventually.js';
import { ownDatabases, runAsAdmin } from '../support/own-databases.js';

const POOL: PoolOptions = {
  size: 1,
  overflow: 1,
  tenantSize: 2,
  acquireTimeoutMs: 200,
  connectTimeoutMs: 2_000,
  recycleMs: 3_600_000,
  idleTimeoutMs: 10_000,
  statementTimeoutMs: 5_000,
  processes: 1,
};
const WRITER: TenantSession = { tenantId: 'acme', actor: "o'neil", access: 'write', login: 'shared' };
const BACKEND_PID = 'SELECT pg_backend_pid() AS pid';

let url: string;
let adminUrl: string;
const pools: ConnectionPool[] = [];

function poolWith(options: Partial<PoolOptions> = {}): ConnectionPool {
  const pool = new ConnectionPool('s0', url, { ...POOL, ...options }, SILENT_LOG);
  pools.push(pool);
  return pool;
}

/** Sessions on a pool of their own. */
async function dataSourceWith(options: Partial<PoolOptions> = {}) {
  const pool = poolWith(options);
  const dataSource = await new NodeDataSource(pool, () => pool, 'write', []).initialize();
  return { createSession: (session: TenantSession) => dataSource.createSession(session, pool) };
}

async function pidOf(pool: ConnectionPool): Promise<unknown> {
  const [row] = await pool.query(BACKEND_PID);
  return row?.pid;
}

beforeAll(async () => {
  const { shards } = await ownDatabases();
  const primary = shards[0]?.primary;
  url = primary?.url ?? '';
  adminUrl = primary?.adminUrl ?? '';
  await runAsAdmin(adminUrl, 'CREATE TABLE notes (text text)');
  await runAsAdmin(adminUrl, 'GRANT ALL ON notes TO PUBLIC');
});

afterEach(async () => {
  await Promise.all(pools.splice(0).map((pool) => pool.end()));
});

describe('ConnectionPool', () => {
  it('lends size + overflow connections, then refuses within the acquire timeout and says what to do', async () => {
    const pool = poolWith();
    const lent = [await pool.acquire(), await pool.acquire()];
    await expect(pool.acquire()).rejects.toThrow(PoolExhaustedError);
    await expect(pool.acquire()).rejects.toThrow('raise pool.size');
    for (const connection of lent) pool.release(connection, false);
    expect(await pidOf(pool)).toEqual(expect.any(Number));
  });

  it('keeps a sound connection and closes a broken one', async () => {
    const pool = poolWith({ overflow: 0 });
    const first = await pidOf(pool);
    expect(await pidOf(pool)).toBe(first);
    const killed = expect(pool.query('SELECT pg_sleep(5)')).rejects.toThrow();
    await runAsAdmin(adminUrl, `SELECT pg_terminate_backend(${String(first)})`);
    await killed;
    expect(await pidOf(pool)).not.toBe(first);
  });

  it('hands a connection to who waits longest, and opens none for that', async () => {
    const pool = poolWith({ overflow: 0, acquireTimeoutMs: 10_000 });
    const connection = await pool.acquire();
    const waiting = [pool.acquire(), pool.acquire()];
    expect(pool.inUse).toBe(3);
    pool.release(connection, false);
    const second = await waiting[0];
    expect(second).toBe(connection);
    pool.release(connection, false);
    expect(await waiting[1]).toBe(connection);
    pool.release(connection, false);
    expect([pool.inUse, pool.use]).toEqual([0, { open: 1, idle: 1, waiting: 0, limit: 1 }]);
  });

  it('gives who waits a new connection when the one that comes back is broken, known or not', async () => {
    const pool = poolWith({ overflow: 0, acquireTimeoutMs: 10_000 });
    const connection = await pool.acquire();
    const waiting = [pool.acquire(), pool.acquire()];
    pool.release(connection, true);
    const second = (await waiting[0])!;
    expect(second).not.toBe(connection);
    const { rows } = await second.query<{ pid: number }>(BACKEND_PID);
    const closed = new Promise((resolve) => second.once('end', resolve));
    await runAsAdmin(adminUrl, `SELECT pg_terminate_backend(${String(rows[0]?.pid)})`);
    await closed;
    pool.release(second, false);
    const third = (await waiting[1])!;
    expect((await third.query(BACKEND_PID)).rows).toHaveLength(1);
    pool.release(third, false);
    expect(pool.inUse).toBe(0);
  });

  it('goes on after connections could not be opened', async () => {
    const nobody = new URL(url);
    nobody.username = 'nobody_at_all';
    const pool = new ConnectionPool('s0', nobody.href, { ...POOL, overflow: 0 }, SILENT_LOG);
    pools.push(pool);
    const refused = await Promise.allSettled(Array.from({ length: 5 }, () => pool.acquire()));
    expect(refused.map(({ status }) => status)).toEqual(Array(5).fill('rejected'));
    expect(pool.inUse).toBe(0);
  });

  it('tells who waits that it is being closed', async () => {
    const pool = poolWith({ overflow: 0, acquireTimeoutMs: 10_000 });
    const connection = await pool.acquire();
    const refused = expect(pool.acquire()).rejects.toThrow('are being closed');
    const ended = pool.end();
    pools.splice(0);
    await refused;
    pool.release(connection, false);
    await ended;
    expect(pool.use.open).toBe(0);
  });

  it('gives each statement its own rows, also behind a read that failed among its rows', async () => {
    const pool = poolWith({ overflow: 0 });
    const read = (text: string) =>
      readAlone(pool, 'acme', new PreparedStatement<unknown>(text, () => (fields) => fields), []);
    const plain = () => pool.query('SELECT 1 AS one');
    expect((await read('SELECT n FROM generate_series(1, 2) AS n')).rows).toEqual([['1'], ['2']]);
    expect(await plain()).toEqual([{ one: 1 }]);
    await expect(read('SELECT 1 / (2 - n) FROM generate_series(1, 3) AS n')).rejects.toThrow('zero');
    expect(await plain()).toEqual([{ one: 1 }]);
    expect((await read('SELECT 3')).rows).toEqual([['3']]);
  });

  it('replaces a connection that has outlived its time', async () => {
    const pool = poolWith({ overflow: 0, recycleMs: 20 });
    const first = await pidOf(pool);
    // Its age is looked at when it comes back.
    const next = await eventually('it is replaced', async () => {
      const pid = await pidOf(pool);
      return pid !== first && pid;
    });
    expect(next).toEqual(expect.any(Number));
  });
});

describe('a tenant’s session', () => {
  it('names tenant and actor in every transaction, and leaves neither behind', async () => {
    const dataSource = await dataSourceWith({ overflow: 0 });
    const settings = `SELECT current_setting('shardgate.tenant_id', true) AS tenant,
                             current_setting('shardgate.actor', true) AS actor`;
    const manager = dataSource.createSession(WRITER);
    expect(await manager.query(settings)).toEqual([{ tenant: 'acme', actor: "o'neil" }]);
    expect(await manager.transaction((tx) => tx.query(settings))).toEqual([
      { tenant: 'acme', actor: "o'neil" },
    ]);
    const [after] = await (pools[0]?.query(settings) ?? []);
    expect(after?.tenant ?? '').toBe('');
  });

  it('refuses the commit of a transaction in which a statement failed, though its caller went on', async () => {
    const dataSource = await dataSourceWith();
    const manager = dataSource.createSession(WRITER);
    const swallowed = manager.transaction(async (tx) => {
      await tx.query(`INSERT INTO notes VALUES ('lost')`);
      await tx.query('SELECT 1 / 0').catch(() => undefined);
    });
    await expect(swallowed).rejects.toThrow('nothing was kept');
    expect(await manager.query('SELECT * FROM notes')).toEqual([]);
  });

  it('nests transactions as savepoints', async () => {
    const dataSource = await dataSourceWith();
    const manager = dataSource.createSession(WRITER);
    await manager.transaction(async (tx) => {
      await tx.query(`INSERT INTO notes VALUES ('kept')`);
      const inner = tx.transaction(async (nested) => {
        await nested.query(`INSERT INTO notes VALUES ('undone')`);
        throw new Error('undo');
      });
      await expect(inner).rejects.toThrow('undo');
    });
    expect(await manager.query('SELECT text FROM notes')).toEqual([{ text: 'kept' }]);
  });

  it('has the server refuse every write of a read session', async () => {
    const dataSource = await dataSourceWith();
    const manager = dataSource.createSession({ ...WRITER, access: 'read' });
    await expect(manager.query(`INSERT INTO notes VALUES ('x')`)).rejects.toThrow('read-only');
  });

  it('tells after each commit a position that every replica must have reached to show it', async () => {
    const dataSource = await dataSourceWith();
    const positions: bigint[] = [];
    const watch = () => ({
      sending: () => undefined,
      wrote: () => undefined,
      committing: () => [],
      preparing: () => undefined,
      committed: ({ lsn }: { lsn: bigint }) => {
        positions.push(lsn);
        return [];
      },
      undone: () => undefined,
      unknown: () => undefined,
    });
    const manager = dataSource.createSession({ ...WRITER, watch });
    await manager.query(`INSERT INTO notes VALUES ('a')`);
    await manager.transaction((tx) => tx.query(`INSERT INTO notes VALUES ('b')`));
    const [first = 0n, second = 0n] = positions;
    expect(positions.length).toBe(2);
    expect(second > first && first > 0n).toBe(true);
  });
});

describe('CatalogDatabase', () => {
  it('tells of changes as they are notified, and again after its connection broke', async () => {
    const catalog = new CatalogDatabase(url, POOL, SILENT_LOG);
    try {
      let changes = 0;
      catalog.onChange('shard_map', () => {
        changes += 1;
      });
      await catalog.listen();
      const seenAtOnce = changes;
      expect(seenAtOnce).toBe(1);
      await catalog.query(`SELECT pg_notify('shardgate_catalog', 'shard_map')`);
      await eventually('the notice arrives', () => changes > seenAtOnce);
      const before = changes;
      await runAsAdmin(
        adminUrl,
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
         WHERE application_name = 'shardgate-listen' AND datname = current_database()`,
      );
      await eventually('it listens again, and says that something may have changed', () => changes > before);
    } finally {
      await catalog.close();
    }
  });
});

describe('connections beside the pools that are closed', () => {
  /** How many of this name there are to the test's own database. */
  async function sessions(name: string, where = 'true'): Promise<number> {
    const { rows } = await runAsAdmin(
      adminUrl,
      `SELECT FROM pg_stat_activity
       WHERE datname = current_database() AND application_name = '${name}' AND ${where}`,
    );
    return rows.length;
  }

  it('end for good: what a probe was asking is not asked again over another one', async () => {
    const probe = new NodeProbe(url, 10_000, () => undefined);
    const asked = probe.ask('SELECT pg_sleep(10)::text AS slept', false).then(
      () => 'answered',
      () => 'failed',
    );
    await eventually(
      'it is asked',
      async () => (await sessions('shardgate-probe', `state = 'active'`)) === 1,
    );
    await probe.close();
    expect(await asked).toBe('failed');
    await expect(probe.ask(BACKEND_PID, true)).rejects.toThrow('closed');
    await eventually('it has ended', async () => (await sessions('shardgate-probe')) === 0);
  });

  it('end for good: what recovery would ask next is not asked', async () => {
    const connection = new OwnConnection(url, { name: 'test-own', answerMs: 10_000, lockMs: 1_000 });
    const asked = connection.query('SELECT pg_sleep(10)::text AS slept');
    const failed = expect(asked).rejects.toThrow();
    await eventually('it is asked', async () => (await sessions('test-own', `state = 'active'`)) === 1);
    connection.close();
    await failed;
    await expect(connection.query(BACKEND_PID)).rejects.toThrow('closed');
    await eventually('it has ended', async () => (await sessions('test-own', `state <> 'active'`)) === 0);
  });
});
