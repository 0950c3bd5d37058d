import { afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { ShardBus, type ShardBusOptions, type WriteNotice } from '../../src/cache/bus/shard-bus.js';
import { SILENT_LOG, type Log } from '../../src/common/log.js';
import { NoticeConnection } from '../../src/sharding/connections/notice-connection.js';
import { eventually } from '../support/eventually.js';
import { ownDatabases, runAsAdmin } from '../support/own-databases.js';

const CHANNEL = 'shardgate_cache';
const NOTICE: WriteNotice = {
  tenantId: 'acme',
  rows: [{ table: 'finance.accounts', ids: ['a1', 'ü€😀'] }],
  position: { timeline: 1, lsn: 2n ** 63n },
};

/** A bus on a connection of its own, and what it heard. */
interface Process {
  readonly bus: ShardBus;
  readonly connection: NoticeConnection;
  readonly heard: (WriteNotice | 'gap' | 'lost')[];
  readonly warnings: string[];
}

let url: string;
let adminUrl: string;
const running: Process[] = [];

async function startProcess(options: Partial<ShardBusOptions> = {}): Promise<Process> {
  const heard: Process['heard'] = [];
  const warnings: string[] = [];
  const log: Log = { ...SILENT_LOG, warn: (_, message) => warnings.push(message) };
  const connection: NoticeConnection = new NoticeConnection(
    url,
    CHANNEL,
    {
      onPayload: (payload) => {
        bus.received(payload);
      },
      onListening: () => {
        bus.listening();
      },
      onLost: () => {
        heard.push('lost');
        bus.lost();
      },
    },
    log,
  );
  const hooks = {
    onNotice: (notice: WriteNotice) => void heard.push(notice),
    onGap: () => void heard.push('gap'),
  };
  const bus = new ShardBus(connection, hooks, options);
  const process: Process = { bus, connection, heard, warnings };
  running.push(process);
  await connection.connect();
  return process;
}

/** Two processes that hear each other and have nothing more to hear. */
async function startTwo(options: Partial<ShardBusOptions> = {}): Promise<[Process, Process]> {
  const both: [Process, Process] = [await startProcess(options), await startProcess(options)];
  await untilHeard(both);
  return both;
}

async function untilHeard(processes: readonly Process[]): Promise<void> {
  await eventually('all are heard', () => processes.every(({ bus }) => bus.isHeard && bus.isAnnouncing));
  for (const { heard } of processes) heard.splice(0);
}

/** The server's process for the connection that was made first. */
async function oldestListener(): Promise<number> {
  const { rows } = await runAsAdmin(
    adminUrl,
    `SELECT pid FROM pg_stat_activity
     WHERE application_name = 'shardgate-notices' AND datname = current_database()
     ORDER BY backend_start LIMIT 1`,
  );
  return (rows as [{ pid: number }])[0].pid;
}

/** Ends all sessions on the channel. @returns how many there were */
async function terminateListeners(): Promise<number> {
  const { rows } = await runAsAdmin(
    adminUrl,
    `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
     WHERE application_name = 'shardgate-notices' AND datname = current_database()`,
  );
  return rows.length;
}

beforeAll(async () => {
  const { shards } = await ownDatabases();
  url = shards[0]?.primary.url ?? '';
  adminUrl = shards[0]?.primary.adminUrl ?? '';
});

afterEach(async () => {
  for (const { bus, connection } of running.splice(0)) {
    await bus.close();
    connection.close();
  }
});

describe('buses on one shard', () => {
  it.each([undefined, 'a secret'])('hear each other and not themselves (secret: %s)', async (secret) => {
    const [a, b] = await startTwo({ secret });
    a.bus.announce(NOTICE);
    await eventually('it is heard', () => b.heard.length > 0);
    b.bus.announce({ ...NOTICE, tenantId: 'umbrella' });
    await eventually('so is the answer', () => a.heard.length > 0);
    expect(b.heard).toEqual([NOTICE]);
    expect(a.heard).toEqual([{ ...NOTICE, tenantId: 'umbrella' }]);
  });

  it('carry payloads up to what the server takes, in order', async () => {
    const [a, b] = await startTwo();
    const written = Array.from({ length: 300 }, (_, tenant) => ({
      ...NOTICE,
      tenantId: `tenant-${tenant}`,
      rows: [{ table: 'finance.accounts', ids: ['ü'.repeat(50), `${tenant}`] }],
    }));
    for (const notice of written) a.bus.announce(notice);
    await eventually('all are heard', () => b.heard.length === written.length);
    expect(b.heard).toEqual(written);
  });

  it('recover when their connections are ended, with a gap, and tell what they could not', async () => {
    const [a, b] = await startTwo();
    expect(await terminateListeners()).toBe(2);
    await eventually('both have lost them', () => a.heard.includes('lost') && b.heard.includes('lost'));
    expect([a.bus.isAnnouncing, b.bus.isAnnouncing]).toEqual([false, false]);
    a.bus.announce(NOTICE);
    await eventually('both listen again', () => a.heard.includes('gap') && b.heard.includes('gap'));
    await untilHeard([a, b]);
    b.bus.announce(NOTICE);
    await eventually('it is heard', () => a.heard.length > 0);
    expect(a.heard).toEqual([NOTICE]);
  });

  it('hear from a process whose connection was ended what it wrote meanwhile', async () => {
    const [a, b] = await startTwo();
    const pid = await oldestListener();
    await runAsAdmin(adminUrl, `SELECT pg_terminate_backend(${pid})`);
    await eventually('it is lost', () => a.heard.includes('lost'));
    a.bus.announce(NOTICE);
    await eventually('it is told after all', () => b.heard.some((heard) => typeof heard === 'object'));
    expect(b.heard).not.toContain('lost');
  });

  it('say goodbye, so that nobody misses who ended', async () => {
    const [a, b] = await startTwo();
    a.bus.announce(NOTICE);
    await a.bus.close();
    a.connection.close();
    await eventually('the last notice is heard', () => b.heard.length > 0);
    const c = await startProcess();
    await untilHeard([c]);
    expect(b.heard).toEqual([NOTICE]);
  });
});

describe('what a transaction tells of itself', () => {
  it('arrives with its COMMIT, not before, and never after a ROLLBACK', async () => {
    const [a, b] = await startTwo({ secret: 'a secret' });
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    const notify = async (tenantId: string): Promise<void> => {
      for (const payload of a.bus.noticePayloads({ tenantId, rows: NOTICE.rows })) {
        await client.query('SELECT pg_notify($1, $2)', [CHANNEL, payload]);
      }
    };
    const told = (tenantId: string): boolean =>
      b.heard.some((notice) => typeof notice === 'object' && notice.tenantId === tenantId);
    try {
      await client.query('BEGIN');
      await notify('rolled-back');
      await client.query('ROLLBACK');
      await client.query('BEGIN');
      await notify('committed');
      // What is announced meanwhile and heard shows that the other would have come by now.
      a.bus.announce({ ...NOTICE, tenantId: 'meanwhile' });
      await eventually('it is heard', () => told('meanwhile'));
      expect(told('committed')).toBe(false);
      await client.query('COMMIT');
      await eventually('it is heard', () => told('committed'));
    } finally {
      await client.end();
    }
    expect(b.heard).toEqual([
      { ...NOTICE, tenantId: 'meanwhile' },
      { ...NOTICE, tenantId: 'committed', position: undefined },
    ]);
    expect(a.heard).toEqual([]);
  });
});

describe('a notice connection', () => {
  it('goes on trying while it cannot connect, refuses to send meanwhile, and closes at once', async () => {
    const nowhere = new URL(url);
    nowhere.pathname = '/no_such_database';
    const warnings: string[] = [];
    const log: Log = { ...SILENT_LOG, warn: (_, message) => warnings.push(message) };
    const unexpected = (): never => {
      throw new Error('no hook is called');
    };
    const hooks = { onPayload: unexpected, onListening: unexpected, onLost: unexpected };
    const connection = new NoticeConnection(nowhere.href, CHANNEL, hooks, log);
    await connection.connect();
    await expect(connection.send(['x'])).rejects.toThrow('no connection');
    await eventually('it tries again', () => warnings.length >= 2);
    expect(new Set(warnings)).toEqual(new Set(['notices of writes cannot be heard']));
    connection.close();
    await connection.connect();
    await expect(connection.send(['x'])).rejects.toThrow('no connection');
  });

  it('keeps its connection when the server refuses a payload, and sends all of a call or nothing', async () => {
    const [a, b] = await startTwo();
    await expect(a.connection.send(['not understood', 'x'.repeat(8_000)])).rejects.toThrow('too long');
    a.bus.announce(NOTICE);
    await eventually('the next is heard', () => b.heard.length > 0);
    expect([a.heard, b.heard]).toEqual([[], [NOTICE]]);
  });

  it('hears only its channel', async () => {
    const [a, b] = await startTwo();
    await runAsAdmin(adminUrl, `NOTIFY other, 'not understood'`);
    b.bus.announce(NOTICE);
    await eventually('it is heard', () => a.heard.length > 0);
    expect(a.heard).toEqual([NOTICE]);
    await runAsAdmin(adminUrl, `NOTIFY ${CHANNEL}, 'not understood'`);
    await eventually('so is what is not understood', () => a.heard.includes('gap'));
  });

  it('is made anew when the server does not answer on it, though it stays open', async () => {
    const [a, b] = await startTwo();
    const pid = await oldestListener();
    process.kill(pid, 'SIGSTOP');
    try {
      a.bus.announce(NOTICE);
      await eventually('the silence is noticed', () => a.heard.includes('lost'));
      expect(a.warnings).toEqual(['notices of writes cannot be sent']);
      await eventually('it is told on another one', () =>
        b.heard.some((notice) => typeof notice === 'object'),
      );
    } finally {
      process.kill(pid, 'SIGCONT');
    }
    await untilHeard([a, b]);
    b.bus.announce(NOTICE);
    await eventually('it hears again', () => a.heard.length > 0);
    expect(a.heard).toEqual([NOTICE]);
  });
});
