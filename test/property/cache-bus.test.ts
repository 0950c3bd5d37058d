import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import fc from 'fast-check';
import { NoticeBuffer } from '../../src/cache/bus/notice-buffer.js';
import { PayloadFormat } from '../../src/cache/bus/payload-format.js';
import { ShardBus, type WriteNotice } from '../../src/cache/bus/shard-bus.js';
import type { TableRows } from '../../src/cache/table-rows.js';
import { Channel, covers, type Fate, type Process } from '../unit/cache-bus-process.js';

/** Also what no sane name holds: lone halves of characters, NUL, quotes, and whatever is long. */
const name = (lengthMax: number): fc.Arbitrary<string> =>
  fc.oneof(
    { weight: 6, arbitrary: fc.constantFrom('acme', 'umbrella', 'finance.accounts', 'finance.transactions') },
    { weight: 2, arbitrary: fc.string({ unit: 'binary', maxLength: 20 }) },
    {
      weight: 1,
      arbitrary: fc
        .array(fc.constantFrom('\ud800', '\0', '"', '\\', 'ü', '€', '😀'))
        .map((all) => all.join('')),
    },
    {
      weight: 1,
      arbitrary: fc
        .tuple(fc.constantFrom('x', 'ü', '€', '\u0001'), fc.nat(lengthMax))
        .map(([text, times]) => text.repeat(times)),
    },
  );
const ids = fc.oneof(
  fc.constant(undefined),
  fc.array(name(2_000), { maxLength: 5 }),
  fc.nat(250).map((count) => Array.from({ length: count }, (_, id) => `0f8b9c1e-4d3a-7b2c-${id}`)),
);
const rows: fc.Arbitrary<WriteNotice['rows']> = fc.oneof(
  fc.constant<'anything'>('anything'),
  fc.array(fc.record({ table: name(9_000), ids }), { maxLength: 4 }),
);
const position = fc.option(
  fc.record({
    timeline: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
    lsn: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  }),
  { nil: undefined },
);
const notice: fc.Arbitrary<WriteNotice> = fc.record({ tenantId: name(9_000), rows, position });
const notices = fc.array(notice, { maxLength: 12 });
const secret = fc.constantFrom(undefined, 'a secret');

/** What a process hears that reads these payloads. */
function heardOf(payloads: readonly string[], format: PayloadFormat): (WriteNotice | 'gap')[] {
  return payloads.flatMap((payload): readonly (WriteNotice | 'gap')[] => {
    const content = format.read(payload)?.content;
    expect(content?.kind).toMatch(/^(writes|everything)$/);
    return content?.kind === 'writes' ? content.notices : ['gap'];
  });
}

describe('payloads of writes', () => {
  it('are each under 8,000 bytes, and cover together what was written', () => {
    fc.assert(
      fc.property(notices, secret, (written, key) => {
        let number = 0;
        const format = new PayloadFormat('0f8b9c1e-4d3a-7b2c-9e1f-5a6b7c8d9e0f', key);
        const payloads = format.payloadsOf(written, () => ({ incarnation: 1, number: (number += 1) }));
        for (const payload of payloads) expect(Buffer.byteLength(payload)).toBeLessThan(8_000);
        const heard = heardOf(payloads, format);
        for (const one of written) expect(covers(heard, one)).toBe(true);
      }),
      { numRuns: 400 },
    );
  });

  it('are filled to the last byte and not beyond, however long names are', () => {
    const place = { incarnation: Number.MAX_SAFE_INTEGER, number: Number.MAX_SAFE_INTEGER };
    const sizes = new Set<number>();
    const check = (written: readonly WriteNotice[], processId: string): void => {
      const format = new PayloadFormat(processId, undefined);
      const payloads = format.payloadsOf(written, () => place);
      for (const payload of payloads) sizes.add(Buffer.byteLength(payload));
      const heard = heardOf(payloads, format);
      for (const one of new Set(written)) expect(covers(heard, one)).toBe(true);
    };
    const anything: WriteNotice = { tenantId: 'acme', rows: 'anything', position: undefined };
    for (let length = 1; length < 40; length += 1) {
      check(Array<WriteNotice>(600).fill(anything), 'p'.repeat(length));
    }
    for (let length = 7_800; length < 8_000; length += 1) {
      for (const some of [undefined, [], ['1']]) {
        check([{ ...anything, rows: [{ table: 'x'.repeat(length), ids: some }] }], 'p');
      }
    }
    expect(Math.max(...sizes)).toBe(7_999);
  });

  it('cover what was written also after it was merged, whatever could not be sent in between', () => {
    fc.assert(
      fc.property(notices, fc.array(fc.nat(11)), (written, failures) => {
        const buffer = new NoticeBuffer();
        written.forEach((one, index) => {
          buffer.add(one);
          if (failures.includes(index)) buffer.restore(buffer.take());
        });
        const taken = buffer.take();
        expect(buffer.isEmpty).toBe(true);
        const heard = taken === 'everything' ? ['gap' as const] : taken;
        for (const one of written) expect(covers(heard, one)).toBe(true);
      }),
      { numRuns: 400 },
    );
  });

  it('say no more than was written, where it is little', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.record({ table: fc.constantFrom('a', 'b'), ids: fc.array(fc.constantFrom('1', '2', '3')) }),
          { minLength: 1 },
        ),
        (some) => {
          const format = new PayloadFormat('p', undefined);
          const buffer = new NoticeBuffer();
          buffer.add({ tenantId: 'acme', rows: some });
          const [heard] = heardOf(
            format.payloadsOf(buffer.take(), () => undefined),
            format,
          ) as [WriteNotice];
          const plainly = ['a', 'b'].flatMap((table) => {
            const told = some.filter((one) => one.table === table);
            return told.length === 0 ? [] : [{ table, ids: [...new Set(told.flatMap((one) => one.ids))] }];
          });
          expect(heard.tenantId).toBe('acme');
          expect(
            [...(heard.rows as readonly TableRows[])].sort((one, other) =>
              JSON.stringify(one) < JSON.stringify(other) ? -1 : 1,
            ),
          ).toEqual(plainly);
        },
      ),
    );
  });
});

describe('a payload that anybody sent', () => {
  const anything = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.json(),
    fc
      .record(
        {
          v: fc.constantFrom(1, 1, 1, 2, '1'),
          p: fc.oneof(fc.constant('p'), fc.jsonValue()),
          s: fc.oneof(fc.nat(), fc.jsonValue()),
          n: fc.oneof(fc.nat(), fc.jsonValue()),
          b: fc.oneof(fc.nat(), fc.jsonValue()),
          w: fc.oneof(
            fc.jsonValue(),
            fc.array(fc.tuple(fc.constant('acme'), fc.jsonValue(), fc.jsonValue())),
          ),
          all: fc.jsonValue(),
          bye: fc.jsonValue(),
        },
        { requiredKeys: ['v', 'p'] },
      )
      .map((value) => JSON.stringify(value)),
  );

  it('never throws, and is a gap where it is not understood', () => {
    fc.assert(
      fc.property(anything, secret, (payload, key) => {
        let gaps = 0;
        const hooks = { onNotice: () => undefined, onGap: () => (gaps += 1) };
        const bus = new ShardBus({ send: () => Promise.resolve() }, hooks, { secret: key });
        bus.received(payload);
        if (new PayloadFormat('p', key).read(payload) === undefined) expect(gaps).toBe(1);
      }),
      { numRuns: 2_000 },
    );
  });

  it('never throws when it is a real one with one character changed', () => {
    fc.assert(
      fc.property(
        notice,
        secret,
        fc.nat(),
        fc.string({ minLength: 1, maxLength: 1 }),
        (one, key, at, character) => {
          const format = new PayloadFormat('p', key);
          for (const payload of format.payloadsOf([one], () => undefined)) {
            const index = at % payload.length;
            const changed = payload.slice(0, index) + character + payload.slice(index + 1);
            expect(() => format.read(changed)).not.toThrow();
          }
        },
      ),
    );
  });
});

/** Something that happens to one of two processes. */
type Happening =
  | { readonly kind: 'write' | 'connection' | 'reading' | 'death'; readonly who: 0 | 1 }
  | { readonly kind: 'sends'; readonly who: 0 | 1; readonly fate: Fate }
  | { readonly kind: 'pass'; readonly ms: number }
  | { readonly kind: 'jump'; readonly ms: number };

const who = fc.constantFrom<0 | 1>(0, 1);
const happening: fc.Arbitrary<Happening> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('write' as const), who }) },
  {
    weight: 6,
    arbitrary: fc.record({ kind: fc.constant('pass' as const), ms: fc.oneof(fc.nat(20), fc.nat(2_500)) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constantFrom('connection' as const, 'reading' as const), who }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('sends' as const),
      who,
      fate: fc.constantFrom<Fate>('arrives', 'fails', 'unseen', 'vanishes', 'hangs'),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('jump' as const), ms: fc.nat(4_000) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('death' as const), who }) },
);

/** A write of one process that another one has to hear of. */
interface Written {
  readonly notice: WriteNotice;
  readonly atMs: number;
  readonly by: Process;
  /** What the other had heard before. */
  readonly heardBefore: number;
}

describe('two processes to which anything happens', () => {
  const SILENCE_MS = 1_500;
  let channel: Channel;
  let dead: Set<Process>;

  beforeEach(() => {
    jest.useFakeTimers();
  });

  afterEach(() => {
    jest.useRealTimers();
  });

  const nowMs = (): number => performance.now() + channel.jumpedMs;

  async function happen(
    event: Happening,
    processes: readonly [Process, Process],
    written: Written[],
  ): Promise<void> {
    if (event.kind === 'jump') channel.jumpedMs += event.ms;
    else if (event.kind === 'pass') await jest.advanceTimersByTimeAsync(event.ms);
    else if (!dead.has(processes[event.who])) {
      const process = processes[event.who];
      if (event.kind === 'sends') process.fate = event.fate;
      else if (event.kind === 'connection') toggleConnection(process);
      else if (event.kind === 'reading') toggleReading(process);
      else if (event.kind === 'write') written.push(write(process, written.length));
      else {
        dead.add(process);
        process.kill();
      }
    }
  }

  function toggleConnection(process: Process): void {
    if (process.isConnected) process.disconnect();
    else process.connect();
  }

  function toggleReading(process: Process): void {
    if (process.isReading) process.isReading = false;
    else process.read();
  }

  function write(by: Process, number: number): Written {
    const one: WriteNotice = {
      tenantId: `tenant-${number % 3}`,
      rows: [{ table: 'accounts', ids: [`${number}`] }],
      position: { timeline: 1, lsn: BigInt(number) },
    };
    const heardBefore = channel.processes.find((process) => process !== by)?.heard.length ?? 0;
    if (!by.bus.isAnnouncing) channel.deliver(by.bus.noticePayloads(one));
    by.bus.announce(one);
    return { notice: one, atMs: nowMs(), by, heardBefore };
  }

  /** Whether the other process knows of a write. */
  function isKnown({ notice: one, by, heardBefore }: Written): boolean {
    const other = channel.processes.find((process) => process !== by);
    return covers(other?.heard.slice(heardBefore) ?? [], one);
  }

  it('know, while they say they hear, what was written longer ago than a silence may last', async () => {
    let checked = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(happening, { minLength: 5, maxLength: 60 }), async (events) => {
        channel = new Channel();
        dead = new Set();
        const processes = [channel.join(), channel.join()] as const;
        const written: Written[] = [];
        await jest.advanceTimersByTimeAsync(2_100);
        for (const event of events) {
          await happen(event, processes, written);
          for (const one of written) {
            const other = processes.find((process) => process !== one.by);
            if (other?.bus.isHeard !== true || nowMs() - one.atMs <= SILENCE_MS) continue;
            checked += 1;
            expect(isKnown(one)).toBe(true);
          }
        }
        await endAll();
      }),
      { numRuns: 300 },
    );
    expect(checked).toBeGreaterThan(100);
  }, 60_000);

  it('know everything in the end, once nothing happens any more', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(happening, { minLength: 5, maxLength: 60 }), async (events) => {
        channel = new Channel();
        dead = new Set();
        const processes = [channel.join(), channel.join()] as const;
        const written: Written[] = [];
        for (const event of events) await happen(event, processes, written);
        for (const process of processes) {
          if (dead.has(process)) continue;
          // Whatever hung loses its connection at last, as the transport sees to it.
          if (process.isConnected) process.disconnect();
          process.fate = 'arrives';
          process.read();
          process.connect();
        }
        await jest.advanceTimersByTimeAsync(5_000);
        for (const process of processes) expect(process.bus.isHeard).toBe(!dead.has(process));
        for (const one of written) {
          const isOtherAlive = processes.some((process) => process !== one.by && !dead.has(process));
          if (isOtherAlive) expect(isKnown(one)).toBe(true);
        }
        await endAll();
      }),
      { numRuns: 150 },
    );
  }, 60_000);

  async function endAll(): Promise<void> {
    const closing = Promise.all(channel.processes.map(({ bus }) => bus.close()));
    await jest.advanceTimersByTimeAsync(1_000);
    await closing;
  }
});
