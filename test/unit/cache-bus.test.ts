import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { WriteNotice } from '../../src/cache/bus/shard-bus.js';
import { Channel, type Process } from './cache-bus-process.js';

const NOTICE: WriteNotice = {
  tenantId: 'acme',
  rows: [{ table: 'finance.accounts', ids: ['a1'] }],
  position: { timeline: 1, lsn: 100n },
};

let channel: Channel;

/** Lets `ms` pass, and all that happens in it. */
async function pass(ms: number): Promise<void> {
  await jest.advanceTimersByTimeAsync(ms);
}

/** Processes that have heard of each other and have nothing more to hear. */
async function joined(count: number): Promise<[Process, Process, ...Process[]]> {
  const processes = Array.from({ length: count }, () => channel.join());
  await pass(2_000);
  for (const process of processes) process.takeHeard();
  return processes as [Process, Process, ...Process[]];
}

function noticeOf(tenantId: string, table: string, ...ids: string[]): WriteNotice {
  return { ...NOTICE, tenantId, rows: [{ table, ids }] };
}

beforeEach(() => {
  jest.useFakeTimers();
  channel = new Channel();
});

afterEach(async () => {
  const closing = Promise.all(channel.processes.map(({ bus }) => bus.close()));
  await pass(1_000);
  await closing;
  expect(jest.getTimerCount()).toBe(0);
  jest.useRealTimers();
});

describe('what a process announces', () => {
  it('is heard by the others and not by itself, with rows and position', async () => {
    const [a, b, c] = await joined(3);
    a.bus.announce(NOTICE);
    await pass(3);
    expect([a, b, c].map((process) => process?.takeHeard())).toEqual([[], [NOTICE], [NOTICE]]);
  });

  it('is gathered for a moment, by tenant, with the latest position', async () => {
    const [a, b] = await joined(2);
    a.bus.announce(noticeOf('acme', 'accounts', '1'));
    a.bus.announce({ ...noticeOf('acme', 'accounts', '2', '1'), position: { timeline: 1, lsn: 300n } });
    a.bus.announce({ ...noticeOf('acme', 'entries'), position: { timeline: 1, lsn: 200n } });
    a.bus.announce({ ...NOTICE, tenantId: 'umbrella', rows: 'anything' });
    const before = channel.payloads.length;
    await pass(3);
    expect(channel.payloads).toHaveLength(before + 1);
    expect(b.takeHeard()).toEqual([
      {
        tenantId: 'acme',
        position: { timeline: 1, lsn: 300n },
        rows: [
          { table: 'accounts', ids: ['1', '2'] },
          { table: 'entries', ids: [] },
        ],
      },
      { ...NOTICE, tenantId: 'umbrella', rows: 'anything' },
    ]);
  });

  it('keeps its position beside what has none', async () => {
    const [a, b] = await joined(2);
    a.bus.announce(NOTICE);
    a.bus.announce({ ...NOTICE, position: undefined });
    await pass(3);
    expect(b.takeHeard()).toEqual([NOTICE, { ...NOTICE, position: undefined }]);
  });

  it('is not sent when it is nothing', async () => {
    const [a] = await joined(2);
    const before = channel.payloads.length;
    a.bus.announce({ ...NOTICE, rows: [] });
    await pass(3);
    expect(channel.payloads).toHaveLength(before);
    expect(a.bus.noticePayloads({ tenantId: 'acme', rows: [] })).toEqual([]);
  });

  it('takes a later timeline for later', async () => {
    const [a, b] = await joined(2);
    a.bus.announce({ ...NOTICE, position: { timeline: 2, lsn: 5n } });
    a.bus.announce({ ...NOTICE, position: { timeline: 1, lsn: 900n } });
    await pass(3);
    expect(b.takeHeard()).toEqual([{ ...NOTICE, position: { timeline: 2, lsn: 5n } }]);
  });

  it('tells rows by their table when there are many, or one has a very long id', async () => {
    const [a, b] = await joined(2);
    a.bus.announce(noticeOf('acme', 'few', ...Array.from({ length: 200 }, (_, id) => `${id}`)));
    a.bus.announce(noticeOf('acme', 'many', ...Array.from({ length: 201 }, (_, id) => `${id}`)));
    a.bus.announce(noticeOf('acme', 'long', 'x'.repeat(1_001)));
    await pass(3);
    const [notice] = b.takeHeard();
    expect(notice).toMatchObject({
      rows: [
        { table: 'few', ids: { length: 200 } },
        { table: 'many', ids: undefined },
        { table: 'long', ids: undefined },
      ],
    });
  });

  it('waits for the answer to the batch before it', async () => {
    const [a, b] = await joined(2);
    a.fate = 'hangs';
    a.bus.announce(NOTICE);
    await pass(3);
    a.fate = 'arrives';
    a.bus.announce(noticeOf('umbrella', 'accounts', '1'));
    await pass(100);
    expect(b.takeHeard()).toEqual([]);
    a.disconnect();
    a.connect();
    await pass(1);
    expect(b.takeHeard()).toHaveLength(2);
  });
});

describe('a process that cannot send', () => {
  it('sends again what may not have arrived, once it listens again, and nobody misses anything', async () => {
    const [a, b] = await joined(2);
    a.fate = 'hangs';
    a.bus.announce(NOTICE);
    await pass(3);
    a.disconnect();
    expect(a.bus.isAnnouncing).toBe(false);
    a.bus.announce(noticeOf('acme', 'entries', '7'));
    a.fate = 'arrives';
    a.connect();
    await pass(3);
    expect(a.takeHeard()).toEqual(['gap']);
    expect(b.takeHeard()).toEqual([
      expect.objectContaining({
        rows: expect.arrayContaining([
          { table: 'finance.accounts', ids: ['a1'] },
          { table: 'entries', ids: ['7'] },
        ]),
      }),
    ]);
  });

  it.each(['fails', 'unseen'] as const)(
    'tries again with the next heartbeat when a send %s',
    async (fate) => {
      const [a, b] = await joined(2);
      await pass(450);
      a.fate = fate;
      a.bus.announce(NOTICE);
      await pass(3);
      expect(a.bus.isAnnouncing).toBe(false);
      expect(b.takeHeard()).toEqual(fate === 'unseen' ? [NOTICE] : []);
      a.fate = 'arrives';
      await pass(50);
      expect(b.takeHeard()).toEqual([NOTICE]);
      expect(a.bus.isAnnouncing).toBe(true);
      a.bus.announce(NOTICE);
      await pass(2_000);
      expect(b.takeHeard()).toEqual([NOTICE]);
    },
  );

  it('does not try before that, whatever is announced', async () => {
    const [a, b] = await joined(2);
    await pass(100);
    a.fate = 'fails once';
    a.bus.announce(NOTICE);
    await pass(3);
    a.bus.announce(NOTICE);
    await pass(390);
    expect(b.takeHeard()).toEqual([]);
    await pass(10);
    expect(b.takeHeard()).toEqual([NOTICE]);
  });

  it('tells of a tenant as a whole when it keeps too much of it', async () => {
    const [a, b] = await joined(2);
    a.disconnect();
    for (let table = 0; table < 600; table += 1) a.bus.announce(noticeOf('acme', `t${table}`, '1'));
    a.bus.announce(noticeOf('umbrella', 'accounts', '1'));
    a.connect();
    await pass(1);
    expect(b.takeHeard()).toEqual([{ ...NOTICE, rows: 'anything' }, noticeOf('umbrella', 'accounts', '1')]);
  });

  it('tells of all tenants as wholes when it keeps too much in all', async () => {
    const [a, b] = await joined(2);
    a.disconnect();
    for (let tenant = 0; tenant < 20; tenant += 1)
      for (let table = 0; table < 300; table += 1)
        a.bus.announce(noticeOf(`tenant-${tenant}`, `t${table}`, '1'));
    a.connect();
    await pass(1);
    const heard = b.takeHeard();
    expect(new Set(heard.map((notice) => notice !== 'gap' && notice.tenantId)).size).toBe(20);
    expect(heard.filter((notice) => notice !== 'gap' && notice.rows === 'anything').length).toBeGreaterThan(
      10,
    );
  });

  it('tells that anything may have changed when that is of too many tenants', async () => {
    const [a, b] = await joined(2);
    a.disconnect();
    for (let tenant = 0; tenant < 6_000; tenant += 1) a.bus.announce(noticeOf(`tenant-${tenant}`, 't', '1'));
    a.connect();
    await pass(1);
    expect(b.takeHeard()).toEqual(['gap']);
    a.bus.announce(NOTICE);
    await pass(3);
    expect(b.takeHeard()).toEqual([NOTICE]);
  });
});

describe('what is missing', () => {
  it('is noticed with the next heartbeat', async () => {
    const [a, b] = await joined(2);
    a.fate = 'vanishes';
    a.bus.announce(NOTICE);
    await pass(3);
    a.fate = 'arrives';
    expect(b.takeHeard()).toEqual([]);
    await pass(500);
    expect(b.takeHeard()).toEqual(['gap']);
    await pass(5_000);
    expect(b.takeHeard()).toEqual([]);
  });

  it('is noticed with the next notice, which is heard all the same', async () => {
    const [a, b] = await joined(2);
    a.fate = 'vanishes';
    a.bus.announce(NOTICE);
    await pass(3);
    a.fate = 'arrives';
    a.bus.announce(noticeOf('umbrella', 'accounts', '1'));
    await pass(3);
    expect(b.takeHeard()).toEqual(['gap', noticeOf('umbrella', 'accounts', '1')]);
  });

  it('can be anything of a stream whose beginning was not heard, and nothing of one that begins', async () => {
    const [a] = await joined(2);
    const late = channel.join();
    await pass(2_000);
    late.takeHeard();
    expect(a.takeHeard()).toEqual([]);
    late.bus.announce(NOTICE);
    await pass(500);
    expect(a.takeHeard()).toEqual([NOTICE]);
    const last = channel.join();
    last.takeHeard();
    // Those that have announced nothing yet are heard from their beginning.
    await pass(500);
    expect(last.takeHeard()).toEqual(['gap']);
  });

  it('is not what the server delivers late of a stream that has been replaced', async () => {
    const [a, b] = await joined(2);
    a.bus.announce(NOTICE);
    await pass(3);
    const old = channel.payloads.at(-1) ?? '';
    a.disconnect();
    a.connect();
    a.bus.announce(NOTICE);
    await pass(3);
    b.takeHeard();
    b.bus.received(old);
    a.bus.announce(noticeOf('acme', 'entries', '1'));
    await pass(3);
    expect(b.takeHeard()).toEqual([NOTICE, noticeOf('acme', 'entries', '1')]);
  });

  it('is not told by an own heartbeat that comes late of a stream that has been replaced', async () => {
    const [a] = await joined(2);
    a.disconnect();
    const old = channel.payloads.filter((payload) => payload.includes('"b":'));
    a.connect();
    await pass(3);
    expect(a.bus.isAnnouncing).toBe(true);
    old.forEach((payload) => {
      a.bus.received(payload);
    });
    expect(a.bus.isAnnouncing).toBe(true);
  });

  it.each([
    ['nothing', ''],
    ['no JSON', 'tenants'],
    ['no object', 'null'],
    ['another version', '{"v":2,"p":"x","s":1,"n":1,"w":[]}'],
    ['a heartbeat of no stream', '{"v":1,"p":"x","b":1}'],
    ['an LSN that is none', '{"v":1,"p":"x","w":[["acme",[1,"x"],0]]}'],
    ['a timeline that is none', '{"v":1,"p":"x","w":[["acme",[4294967296,"1"],0]]}'],
    ['rows that are none', '{"v":1,"p":"x","w":[["acme",null,[["t",[1]]]]]}'],
  ])('can be anything when somebody sends %s', async (_, payload) => {
    const [a] = await joined(2);
    a.bus.received(payload);
    expect(a.takeHeard()).toEqual(['gap']);
    expect(a.bus.isHeard).toBe(true);
  });

  it('can be anything of streams that are too many to follow', async () => {
    const [a] = await joined(2);
    for (let stream = 0; stream < 2_000; stream += 1) {
      a.bus.received(JSON.stringify({ v: 1, p: `made-up-${stream}`, s: 1, n: 0, b: 1 }));
    }
    expect(a.takeHeard()).toHaveLength(2_000 - 999);
  });
});

describe('hearing', () => {
  it('begins when everybody had the time to be heard, with a gap', async () => {
    const a = channel.join();
    expect(a.takeHeard()).toEqual(['gap']);
    await pass(1_499);
    expect([a.bus.isHeard, a.bus.isAnnouncing]).toEqual([false, true]);
    expect(a.takeHeard()).toEqual([]);
    await pass(1);
    expect(a.bus.isHeard).toBe(true);
    expect(a.takeHeard()).toEqual(['gap']);
    await pass(10_000);
    expect(a.bus.isHeard).toBe(true);
    expect(a.takeHeard()).toEqual([]);
  });

  it('ends when nothing comes back, counted from what was sent; announcing ends earlier', async () => {
    const [a] = await joined(2);
    // A heartbeat that waits long to be read proves what it did when it was sent.
    a.isReading = false;
    await pass(900);
    a.read();
    a.isReading = false;
    const states: boolean[][] = [];
    for (const ms of [598, 4, 496, 4]) {
      await pass(ms);
      states.push([a.bus.isAnnouncing, a.bus.isHeard]);
    }
    expect(states).toEqual([
      [true, true],
      [false, true],
      [false, true],
      [false, false],
    ]);
  });

  it('ends when another process falls silent, and begins again with a gap when that is sure', async () => {
    const [a, b, c] = await joined(3);
    await pass(250);
    a.kill();
    await pass(1_200);
    expect([b.takeHeard(), b.bus.isHeard]).toEqual([[], false]);
    await pass(500);
    for (const process of [b, c])
      expect([process?.takeHeard(), process?.bus.isHeard]).toEqual([['gap'], true]);
    await pass(5_000);
    for (const process of [b, c]) expect([process?.takeHeard(), process?.bus.isHeard]).toEqual([[], true]);
  });

  it('does not suffer from a process that says goodbye', async () => {
    const [a, b] = await joined(2);
    a.bus.announce(NOTICE);
    await a.bus.close();
    for (let quarter = 0; quarter < 40; quarter += 1) {
      await pass(250);
      expect(b.bus.isHeard).toBe(true);
    }
    expect(b.takeHeard()).toEqual([NOTICE]);
  });

  it('ends with the connection, and begins again later with a gap', async () => {
    const [a, b] = await joined(2);
    a.disconnect();
    await pass(1_502);
    expect(a.bus.isHeard).toBe(false);
    b.bus.announce(NOTICE);
    await pass(3);
    a.connect();
    expect(a.takeHeard()).toEqual(['gap']);
    await pass(1_400);
    expect(a.bus.isHeard).toBe(false);
    await pass(600);
    expect(a.bus.isHeard).toBe(true);
    expect(a.takeHeard().at(-1)).toBe('gap');
  });
});

describe('a process that stood still', () => {
  it('knows it at once by the clock, and trusts neither what lay unread nor its own heartbeat alone', async () => {
    const [a, b] = await joined(2);
    await pass(100);
    b.isReading = false;
    await pass(1_000);
    channel.jumpedMs += 5_000;
    expect([b.bus.isHeard, b.bus.isAnnouncing]).toEqual([false, false]);
    a.fate = 'vanishes';
    b.read();
    expect([b.bus.isHeard, b.bus.isAnnouncing]).toEqual([false, false]);
    await pass(500);
    // Its own heartbeat is back; whether the other lives is not known yet.
    expect([b.bus.isHeard, b.bus.isAnnouncing]).toEqual([false, true]);
    expect(b.takeHeard()).toEqual([]);
    a.fate = 'arrives';
    await pass(500);
    expect(b.bus.isHeard).toBe(true);
    expect(b.takeHeard()).toEqual([]);
  });

  it('gives those that stood still with it the time to be heard', async () => {
    const both = await joined(2);
    await pass(250);
    channel.jumpedMs += 60_000;
    await pass(2_000);
    for (const process of both) expect([process.takeHeard(), process.bus.isHeard]).toEqual([[], true]);
  });

  it('finds who died meanwhile, though heartbeats of it lay unread', async () => {
    const [a, b] = await joined(2);
    b.isReading = false;
    await pass(600);
    a.kill();
    channel.jumpedMs += 10_000;
    b.read();
    const states = new Set<string>();
    for (let quarter = 0; quarter < 12; quarter += 1) {
      await pass(250);
      states.add(`${b.bus.isHeard} ${b.heard.length}`);
    }
    expect([...states]).toEqual(['false 0', 'true 1']);
    expect(b.takeHeard()).toEqual(['gap']);
  });
});

describe('what a transaction tells of itself', () => {
  it('is heard without a position and without a place in any stream, by others only', async () => {
    const [a, b] = await joined(2);
    const { tenantId, rows } = NOTICE;
    const payloads = a.bus.noticePayloads({ tenantId, rows });
    a.bus.announce(NOTICE);
    await pass(3);
    b.takeHeard();
    channel.deliver(payloads);
    await pass(2_000);
    expect(b.takeHeard()).toEqual([{ tenantId, rows, position: undefined }]);
    expect(a.takeHeard()).toEqual([]);
  });

  it('is told of a process that was never heard of as well, and makes no stream of it', async () => {
    const [a, b] = await joined(2);
    const stranger = new Channel().join();
    channel.deliver(stranger.bus.noticePayloads({ tenantId: 'acme', rows: 'anything' }));
    await pass(5_000);
    for (const process of [a, b]) {
      expect(process.takeHeard()).toEqual([{ tenantId: 'acme', rows: 'anything', position: undefined }]);
      expect(process.bus.isHeard).toBe(true);
    }
    await stranger.bus.close();
  });
});

describe('a secret', () => {
  it('keeps payloads from who does not have it, and them from being believed', async () => {
    const [a, b, other, none] = [
      channel.join({ secret: 'ours' }),
      channel.join({ secret: 'ours' }),
      channel.join({ secret: 'theirs' }),
      channel.join(),
    ];
    await pass(2_000);
    for (const process of channel.processes) process.takeHeard();
    other.kill();
    none.kill();
    const before = channel.payloads.length;
    a.bus.announce(NOTICE);
    await pass(3);
    expect(b.takeHeard()).toEqual([NOTICE]);
    const [payload = ''] = channel.payloads.slice(before);
    expect(Buffer.from(payload, 'base64').toString('latin1')).not.toContain('acme');
    other.bus.received(payload);
    none.bus.received(payload);
    expect([other.takeHeard(), none.takeHeard()]).toEqual([['gap'], ['gap']]);
    b.bus.received('{"v":1,"p":"x","w":[["acme",null,0]]}');
    // One bit of the id, by which the message stays a message.
    const changed = Buffer.from(payload, 'base64');
    const at = changed.length - '1"]]]]]}'.length;
    changed[at] = (changed[at] ?? 0) ^ 1;
    b.bus.received(changed.toString('base64'));
    expect(b.takeHeard()).toEqual(['gap', 'gap']);
  });
});

describe('closing', () => {
  it('sends what is left before the goodbye', async () => {
    const [a, b] = await joined(2);
    a.bus.announce(NOTICE);
    await a.bus.close();
    expect(b.takeHeard()).toEqual([NOTICE]);
    expect([a.bus.isHeard, a.bus.isAnnouncing]).toEqual([false, false]);
    a.bus.received('nonsense');
    a.bus.listening();
    await a.bus.close();
    expect(a.takeHeard()).toEqual([]);
  });

  it('says no goodbye when something could not be told, so that the others find a gap', async () => {
    const [a, b] = await joined(2);
    a.fate = 'fails once';
    a.bus.announce(NOTICE);
    await a.bus.close();
    await pass(2_000);
    expect(b.takeHeard()).toEqual(['gap']);
  });

  it('says no goodbye without a connection', async () => {
    const [a, b] = await joined(2);
    a.disconnect();
    await a.bus.close();
    await pass(2_500);
    expect(b.takeHeard()).toEqual(['gap']);
  });

  it('does not wait for a transport that hangs', async () => {
    const [a] = await joined(2);
    a.fate = 'hangs';
    let isClosed = false;
    const closing = a.bus.close().then(() => {
      isClosed = true;
    });
    await pass(999);
    expect(isClosed).toBe(false);
    await pass(1);
    await closing;
  });
});
