import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { EntryStore, type Sized } from '../../src/cache/entry-store.js';
import { JOINED_UNHEARD_MS } from '../../src/cache/query-cache.js';
import { Tags } from '../../src/cache/tags.js';
import {
  ACCOUNTS,
  ACME,
  BETA,
  CARDS,
  Scene,
  TTL_MS,
  anyRows,
  at,
  reading,
  rows,
} from './query-cache-scene.js';

const ONE = reading('one');

afterEach(() => {
  jest.restoreAllMocks();
});

describe('an answer that was asked for', () => {
  it('before a write, and comes after it, is not kept', async () => {
    const scene = new Scene();
    const fill = scene.begin(ONE);
    scene.write(rows('1'), 10);
    expect(await fill.end('old')).toBe('old');
    expect(scene.lookUp(ONE)).toBeUndefined();
    expect(scene.cache.report('acme')).toMatchObject({ refused: 1, entries: 0 });
  });

  it('before a write, and comes while its commit is pending, is not kept', async () => {
    const scene = new Scene();
    const fill = scene.begin(ONE);
    const fence = scene.cache.beginWrite(ACME, rows('1'));
    await fill.end('either');
    fence.undone();
    expect(scene.lookUp(ONE)).toBeUndefined();
    expect(scene.cache.report('acme')).toMatchObject({ refused: 1, entries: 0 });
  });

  it('while a commit is pending, and comes after it, is not kept', async () => {
    const scene = new Scene();
    const fence = scene.cache.beginWrite(ACME, rows('1'));
    const fill = scene.begin(ONE);
    fence.committed(at(10));
    await fill.end('either');
    expect(scene.lookUp(ONE)).toBeUndefined();
  });

  it('while a commit was pending that came to nothing, is kept', async () => {
    const scene = new Scene();
    const fence = scene.cache.beginWrite(ACME, rows('1'));
    const fill = scene.begin(ONE);
    fence.undone();
    await fill.end('same');
    expect(scene.lookUp(ONE)).toBe('same');
  });

  it('between two writes is not kept once the second is there', async () => {
    const scene = new Scene();
    scene.write(rows('1'), 10);
    const fill = scene.begin(ONE);
    scene.write(rows('1'), 20);
    await fill.end('first');
    expect(scene.lookUp(ONE)).toBeUndefined();
  });

  it('later than another one stands, although the other comes last', async () => {
    const scene = new Scene();
    const first = scene.begin(ONE);
    const withToken = reading('one', { required: at(10) });
    const second = scene.begin(withToken);
    await second.end('new');
    await first.end('old');
    expect(scene.lookUp(ONE)).toBe('new');
    expect(scene.lookUp(withToken)).toBe('new');
  });

  it('while others write other rows is kept, and joined', async () => {
    const scene = new Scene();
    const first = scene.begin(ONE);
    scene.write(rows('2'), 10);
    const second = scene.begin(ONE);
    expect(second.isAsked).toBe(false);
    await first.end('same');
    expect(await second.answer).toBe('same');
    expect(scene.lookUp(ONE)).toBe('same');
  });
});

describe('an answer that is kept', () => {
  it('is not served while a commit is pending, and is again once that is undone', async () => {
    const scene = new Scene();
    await scene.fill(ONE, 'kept');
    const fence = scene.cache.beginWrite(ACME, rows('1'));
    expect(scene.lookUp(ONE)).toBeUndefined();
    fence.undone();
    expect(scene.lookUp(ONE)).toBe('kept');
    fence.undone();
    expect(scene.lookUp(ONE)).toBe('kept');
    // What is said twice counts once.
    scene.cache.beginWrite(ACME, rows('1'));
    expect(scene.lookUp(ONE)).toBeUndefined();
  });

  it('waits for all commits that are pending', async () => {
    const scene = new Scene();
    await scene.fill(ONE, 'kept');
    const fences = [scene.cache.beginWrite(ACME, rows('1')), scene.cache.beginWrite(ACME, rows('1'))];
    fences[0]!.undone();
    expect(scene.lookUp(ONE)).toBeUndefined();
    fences[1]!.undone();
    expect(scene.lookUp(ONE)).toBe('kept');
  });

  it('is served no more after a write', async () => {
    const scene = new Scene();
    await scene.fill(ONE, 'kept');
    scene.write(rows('1'), 10);
    expect(scene.lookUp(ONE)).toBeUndefined();
    await scene.fill(ONE, 'new');
    expect(scene.lookUp(ONE)).toBe('new');
  });

  it('stays out of use, and its refills too, while the outcome of a commit is unknown', async () => {
    const scene = new Scene();
    await scene.fill(ONE, 'kept');
    const fence = scene.cache.beginWrite(ACME, rows('1'));
    for (let turn = 0; turn < 3; turn += 1) {
      scene.nowMs += 1_000;
      expect(scene.lookUp(ONE)).toBeUndefined();
      const fill = scene.begin(ONE);
      expect(fill.isAsked).toBe(true);
      await fill.end('unsure');
    }
    fence.committed(at(10));
    expect(scene.lookUp(ONE)).toBeUndefined();
    await scene.fill(ONE, 'new');
    expect(scene.lookUp(ONE)).toBe('new');
  });

  it('is not served while its shard is not heard, others are', async () => {
    const scene = new Scene();
    const elsewhere = reading('two', { shardId: 's1' });
    await scene.fill(ONE, 'kept');
    await scene.fill(elsewhere, 'kept there');
    scene.unheard.add('s0');
    expect(scene.lookUp(ONE)).toBeUndefined();
    expect(scene.lookUp(elsewhere)).toBe('kept there');
    scene.unheard.clear();
    expect(scene.lookUp(ONE)).toBe('kept');
  });

  it('is served for the TTL of the cache, from when it was asked for', async () => {
    const scene = new Scene();
    const fill = scene.begin(ONE);
    scene.nowMs += 1_000;
    await fill.end('kept');
    scene.nowMs += TTL_MS - 1_001;
    expect(scene.lookUp(ONE)).toBe('kept');
    scene.nowMs += 1;
    expect(scene.lookUp(ONE)).toBeUndefined();
  });

  it('is served to who wants it younger only while it is, and to others after that', async () => {
    const scene = new Scene();
    await scene.fill(ONE, 'kept');
    const young = reading('one', { ttlMs: 100 });
    scene.nowMs += 99;
    expect(scene.lookUp(young)).toBe('kept');
    scene.nowMs += 1;
    expect(scene.lookUp(young)).toBeUndefined();
    expect(scene.lookUp(ONE)).toBe('kept');
  });

  it('is as old for others as it may be, though who asked for it wanted it young', async () => {
    const scene = new Scene();
    await scene.fill(reading('one', { ttlMs: 100 }), 'kept');
    scene.nowMs += TTL_MS - 1;
    expect(scene.lookUp(ONE)).toBe('kept');
    scene.nowMs += 1;
    expect(scene.lookUp(ONE)).toBeUndefined();
  });

  it('gets no older for a read with a longer TTL', async () => {
    const scene = new Scene();
    const patient = reading('one', { ttlMs: 10 * TTL_MS });
    await scene.fill(patient, 'kept');
    scene.nowMs += TTL_MS;
    expect(scene.lookUp(patient)).toBeUndefined();
  });

  it('is not served to a token beyond what it was asked to show; its refill is', async () => {
    const scene = new Scene();
    await scene.fill(ONE, 'kept');
    const withToken = reading('one', { required: at(10) });
    expect(scene.lookUp(withToken)).toBeUndefined();
    const refill = scene.begin(withToken);
    expect(refill.least).toEqual(at(10));
    await refill.end('new');
    expect(scene.lookUp(withToken)).toBe('new');
    expect(scene.lookUp(reading('one', { required: at(11) }))).toBeUndefined();
    expect(scene.lookUp(ONE)).toBe('new');
  });

  it('is served to a token that every node shows once it was asked for with it', async () => {
    const scene = new Scene();
    scene.everywhere = 10n;
    const withToken = reading('one', { required: at(10) });
    const fill = scene.begin(withToken);
    expect(fill.least).toBeUndefined();
    await fill.end('kept');
    expect(scene.lookUp(withToken)).toBe('kept');
  });
});

describe('a fill that begins after a write', () => {
  it('asks for a node that shows it', () => {
    const scene = new Scene();
    scene.write(rows('1'), 10);
    expect(scene.begin(ONE).least).toEqual(at(10));
  });

  it('asks for the furthest of its writes, and of a token', () => {
    const scene = new Scene();
    scene.write(rows('1'), 20);
    scene.write(rows('2'), 10);
    const both = rows('1', '2');
    expect(scene.begin(reading('a'), both).least).toEqual(at(20));
    expect(scene.begin(reading('b', { required: at(15) }), both).least).toEqual(at(20));
    expect(scene.begin(reading('c', { required: at(25) }), both).least).toEqual(at(25));
  });

  it('asks for what the latest of several writes needs, whichever was acknowledged last', () => {
    const scene = new Scene();
    scene.write(rows('1'), 20);
    scene.write(rows('1'), 10);
    expect(scene.begin(ONE).least).toEqual(at(20));
  });

  it('asks for it also where the outcome came late', () => {
    const scene = new Scene();
    const fence = scene.cache.beginWrite(ACME, rows('1'));
    expect(scene.begin(ONE).least).toBeUndefined();
    fence.committed(at(10));
    expect(scene.begin(ONE).least).toEqual(at(10));
  });

  it('asks for it when nothing else is known of its rows any more', async () => {
    const scene = new Scene();
    await scene.fill(ONE, 'kept');
    scene.write(rows('1'), 10);
    scene.cache.clear();
    expect(scene.begin(ONE).least).toEqual(at(10));
  });

  it('asks for it when so many were written since that it is not remembered by itself', () => {
    const scene = new Scene();
    scene.write(rows('1'), 10);
    for (let id = 0; id < 25_000; id += 1) scene.write(rows(`other-${id}`), 11 + id);
    const { least } = scene.begin(ONE);
    expect(least?.lsn).toBeGreaterThanOrEqual(10n);
    expect(scene.begin(reading('else', { shardId: 's1' })).least).toBeUndefined();
    scene.everywhere = 30_000n;
    scene.write(rows('last'), 40_000);
    expect(scene.begin(reading('two'), [{ table: CARDS, ids: ['2'] }]).least).toBeUndefined();
  });

  it('asks for nothing once every node shows it', () => {
    const scene = new Scene();
    scene.write(rows('1'), 10);
    scene.everywhere = 9n;
    expect(scene.begin(reading('a')).least).toEqual(at(10));
    scene.everywhere = 10n;
    expect(scene.begin(reading('b')).least).toBeUndefined();
  });

  it('asks for nothing where other rows were written', () => {
    const scene = new Scene();
    scene.write([{ table: CARDS, ids: ['1'] }], 10);
    scene.write(rows('1'), 20, BETA);
    scene.write(rows('1'), 30, { ...ACME, shardId: 's1' });
    expect(scene.begin(ONE).least).toBeUndefined();
  });
});

describe('who asks for what is being asked for', () => {
  it('joins: a thousand callers make one query', async () => {
    const scene = new Scene();
    const first = scene.begin(ONE);
    const others = Array.from({ length: 999 }, () => scene.begin(ONE));
    expect(others.some(({ isAsked }) => isAsked)).toBe(false);
    await first.end('one');
    expect(await Promise.all(others.map(({ answer }) => answer))).toEqual(others.map(() => 'one'));
    expect(scene.cache.report('acme')).toMatchObject({ misses: 1, joins: 999 });
  });

  it('does not join what was asked for before the last write', async () => {
    const scene = new Scene();
    const before = scene.begin(ONE);
    scene.write(rows('1'), 10);
    const after = scene.begin(ONE);
    const later = scene.begin(ONE);
    expect([after.isAsked, later.isAsked]).toEqual([true, false]);
    await after.end('new');
    await before.end('old');
    expect(await Promise.all([before.answer, after.answer, later.answer])).toEqual(['old', 'new', 'new']);
    expect(scene.lookUp(ONE)).toBe('new');
  });

  it('joins while a commit is pending, but not what was asked for during one that was kept', () => {
    const scene = new Scene();
    const fence = scene.cache.beginWrite(ACME, rows('1'));
    scene.begin(ONE);
    expect(scene.begin(ONE).isAsked).toBe(false);
    fence.committed(at(10));
    expect(scene.begin(ONE).isAsked).toBe(true);
  });

  it('shares a failure, which is not kept, and the next one asks anew', async () => {
    const unhandled: unknown[] = [];
    const note = (reason: unknown): unknown => unhandled.push(reason);
    process.on('unhandledRejection', note);
    const scene = new Scene();
    const begun = [scene.begin(ONE), scene.begin(ONE), scene.begin(ONE)];
    const outcomes = Promise.allSettled(begun.map(({ answer }) => answer));
    const error = new Error('The database is away.');
    begun[0]!.fail(error);
    expect(await outcomes).toEqual(begun.map(() => ({ status: 'rejected', reason: error })));
    await new Promise(setImmediate);
    process.off('unhandledRejection', note);
    expect(unhandled).toEqual([]);
    expect(scene.lookUp(ONE)).toBeUndefined();
    const next = scene.begin(ONE);
    expect(next.isAsked).toBe(true);
    await next.end('new');
    expect(scene.lookUp(ONE)).toBe('new');
  });

  it('asks anew after a failure that was thrown at once', async () => {
    const scene = new Scene();
    const thrown = scene.cache.fill(ONE, rows('1'), () => {
      throw new Error('Not even asked.');
    });
    await expect(thrown).rejects.toThrow('Not even asked.');
    await scene.fill(ONE, 'new');
    expect(scene.lookUp(ONE)).toBe('new');
  });

  it('joins with a token only who was asked to show it', () => {
    const scene = new Scene();
    const withToken = reading('one', { required: at(10) });
    expect(scene.begin(ONE).isAsked).toBe(true);
    expect(scene.begin(withToken).isAsked).toBe(true);
    expect(scene.begin(withToken).isAsked).toBe(false);
    expect(scene.begin(reading('one', { required: at(9) })).isAsked).toBe(false);
    expect(scene.begin(ONE).isAsked).toBe(false);
    expect(scene.begin(reading('one', { required: at(11) })).isAsked).toBe(true);
  });

  it('does not join what is older than it wants, or than the cache allows', () => {
    const scene = new Scene();
    const young = reading('one', { ttlMs: 100 });
    scene.begin(ONE);
    scene.nowMs += 99;
    expect(scene.begin(young).isAsked).toBe(false);
    scene.nowMs += 1;
    expect(scene.begin(ONE).isAsked).toBe(false);
    expect(scene.begin(young).isAsked).toBe(true);
    scene.nowMs += TTL_MS;
    expect(scene.begin(ONE).isAsked).toBe(true);
  });

  it('joins for a second while the shard is not heard, so that a cold key does not make a stampede', () => {
    const scene = new Scene();
    scene.unheard.add('s0');
    scene.begin(ONE);
    scene.nowMs += JOINED_UNHEARD_MS - 1;
    expect(scene.begin(ONE).isAsked).toBe(false);
    scene.nowMs += 1;
    expect(scene.begin(ONE).isAsked).toBe(true);
    expect(scene.begin(ONE).isAsked).toBe(false);
  });

  it('does not join, once a shard is heard again, what was asked for before', () => {
    const scene = new Scene();
    scene.unheard.add('s0');
    scene.begin(ONE);
    scene.cache.beginUnheard('s0').committed({ shardId: 's0', timeline: 1, lsn: 0n });
    scene.unheard.clear();
    expect(scene.begin(ONE).isAsked).toBe(true);
  });

  it('does not join what was asked for before a clearing', async () => {
    const scene = new Scene();
    const before = scene.begin(ONE);
    scene.cache.clear('beta');
    expect(scene.begin(ONE).isAsked).toBe(false);
    scene.cache.clear('acme');
    const after = scene.begin(ONE);
    expect(after.isAsked).toBe(true);
    await after.end('new');
    await before.end('old');
    expect(scene.lookUp(ONE)).toBe('new');
  });
});

describe('a tenant', () => {
  it('never gets what is another one’s, although their keys be the same', async () => {
    const scene = new Scene();
    const others = reading('one', BETA);
    const first = scene.begin(ONE);
    const second = scene.begin(others);
    expect(second.isAsked).toBe(true);
    await first.end('of acme');
    await second.end('of beta');
    expect(await Promise.all([first.answer, second.answer])).toEqual(['of acme', 'of beta']);
    expect([scene.lookUp(ONE), scene.lookUp(others)]).toEqual(['of acme', 'of beta']);
  });

  it('never gets what is another one’s, although the store mixed them up', async () => {
    const scene = new Scene();
    await scene.fill(ONE, 'of acme');
    const got = jest.spyOn(EntryStore.prototype, 'get');
    expect(scene.lookUp(ONE)).toBe('of acme');
    const entry = got.mock.results[0]?.value as Sized;
    got.mockRestore();
    const mixedUp = jest.spyOn(EntryStore.prototype, 'get').mockReturnValue(entry);
    expect(scene.lookUp(reading('one', BETA))).toBeUndefined();
    mixedUp.mockRestore();
    expect(scene.lookUp(ONE)).toBe('of acme');
  });

  it('never gets what is of another shard', async () => {
    const scene = new Scene();
    const elsewhere = reading('one', { shardId: 's1' });
    const fill = scene.begin(ONE);
    expect(scene.begin(elsewhere).isAsked).toBe(true);
    await fill.end('of s0');
    expect(scene.lookUp(elsewhere)).toBeUndefined();
  });

  it('is cleared alone, or with all', async () => {
    const scene = new Scene();
    const others = reading('two', BETA);
    await scene.fill(ONE, 'of acme');
    await scene.fill(others, 'of beta');
    expect(scene.cache.clear('acme')).toBe(1);
    expect(scene.cache.clear('acme')).toBe(0);
    expect([scene.lookUp(ONE), scene.lookUp(others)]).toEqual([undefined, 'of beta']);
    await scene.fill(ONE, 'of acme');
    expect(scene.cache.clear()).toBe(2);
    expect([scene.lookUp(ONE), scene.lookUp(others)]).toEqual([undefined, undefined]);
  });

  it.each([['acme'], [undefined]])(
    'that is cleared keeps nothing that was asked for before (%p)',
    async (tenant) => {
      const scene = new Scene();
      const fill = scene.begin(ONE);
      scene.cache.clear(tenant);
      expect(await fill.end('old')).toBe('old');
      expect(scene.lookUp(ONE)).toBeUndefined();
      await scene.fill(ONE, 'new');
      expect(scene.lookUp(ONE)).toBe('new');
    },
  );
});

/** What is served of four answers of a tenant on a shard: account 1, account 2, all accounts, all cards. */
const READS = [
  { name: 'account 1', tables: rows('1') },
  { name: 'account 2', tables: rows('2') },
  { name: 'accounts', tables: anyRows(ACCOUNTS) },
  { name: 'cards', tables: anyRows(CARDS) },
];

describe('what a write sets aside', () => {
  const names = READS.map(({ name }) => name);
  const without = (...gone: string[]): string[] => names.filter((name) => !gone.includes(name));

  it.each([
    { what: 'a row', written: rows('1'), left: without('account 1', 'accounts') },
    { what: 'a new row', written: rows('3'), left: without('accounts') },
    { what: 'two rows', written: rows('1', '2'), left: ['cards'] },
    { what: 'unknown rows of a table', written: anyRows(ACCOUNTS), left: ['cards'] },
    { what: 'unknown rows of two tables', written: anyRows(ACCOUNTS, CARDS), left: [] },
    { what: 'no rows', written: [], left: names },
    { what: 'anything', written: 'anything' as const, left: [] },
  ])('of $what: answers of these rows, of this tenant, on this shard', async ({ written, left }) => {
    const scene = new Scene();
    const places = [ACME, BETA, { ...ACME, shardId: 's1' }];
    const readOf = (place: (typeof places)[number], name: string) =>
      reading(`${place.shardId} ${place.tenantId} ${name}`, place);
    for (const place of places) {
      for (const { name, tables } of READS) await scene.fill(readOf(place, name), name, tables);
    }
    const served = (place: (typeof places)[number]): string[] =>
      names.filter((name) => scene.lookUp(readOf(place, name)) === name);
    scene.write(written, 10);
    expect(places.map(served)).toEqual([left, names, names]);
  });

  it('unheard: all of one shard, and what is filled meanwhile', async () => {
    const scene = new Scene();
    const reads = [reading('a'), reading('b', BETA), reading('c', { shardId: 's1' })];
    const served = () => reads.map((read) => scene.lookUp(read) !== undefined);
    for (const read of reads) await scene.fill(read, 'kept');
    const fence = scene.cache.beginUnheard('s0');
    expect(served()).toEqual([false, false, true]);
    for (const read of reads) await scene.fill(read, 'meanwhile');
    expect(served()).toEqual([false, false, true]);
    fence.committed(at(10));
    expect(served()).toEqual([false, false, true]);
    expect(reads.map((read) => scene.begin(read).least)).toEqual([at(10), at(10), undefined]);
  });

  it('of a row that was not there: that there is none, and no other such answer', async () => {
    const scene = new Scene();
    const [none, other] = [reading('none'), reading('other')];
    for (const written of [rows('1'), anyRows(ACCOUNTS)]) {
      await scene.fill(none, 'none', rows('1'));
      await scene.fill(other, 'none either', rows('2'));
      scene.write(written, 10);
      expect(scene.lookUp(none)).toBeUndefined();
    }
  });

  it('of a row of any table that an answer is made of', async () => {
    const scene = new Scene();
    const tables = [...rows('1'), { table: CARDS, ids: ['7'] }];
    for (const written of [rows('1'), [{ table: CARDS, ids: ['7'] }], anyRows(CARDS)]) {
      await scene.fill(ONE, 'joined', tables);
      expect(scene.lookUp(ONE)).toBe('joined');
      scene.write(written, 10);
      expect(scene.lookUp(ONE)).toBeUndefined();
    }
  });

  it('of names that look alike: nothing of each other', async () => {
    const scene = new Scene();
    await scene.fill(ONE, 'kept', [{ table: 'a', ids: ['b c'] }]);
    scene.write([{ table: 'a b', ids: ['c'] }], 10);
    scene.write([{ table: 'a b c', ids: undefined }], 20);
    expect(scene.lookUp(ONE)).toBe('kept');
  });
});

describe('what a cache leaves behind', () => {
  it('is nothing: tags are let go of once, whatever becomes of answers, fills and writes', async () => {
    const released = jest.spyOn(Tags.prototype, 'release');
    const holdForAnswer = jest.spyOn(Tags.prototype, 'holdForAnswer');
    const scene = new Scene({ maxBytes: 100_000 });
    await scene.fill(ONE, 'replaced');
    await scene.fill(ONE, 'kept', [...rows('1', '1'), ...anyRows(ACCOUNTS), ...rows('2')]);
    await scene.fill(reading('none'), 'none', [...rows('1'), ...anyRows(CARDS)]);
    await scene.fill(reading('huge'), 'huge', rows('1'), { bytes: 1_000_000 });
    for (let id = 0; id < 200; id += 1) await scene.fill(reading(`key ${id}`), 'kept', rows(`${id}`));
    const refused = scene.begin(ONE);
    scene.write(rows('1', '1', '2'), 10);
    await refused.end('old');
    const failed = scene.begin(ONE);
    failed.fail(new Error('The database is away.'));
    await expect(failed.answer).rejects.toThrow();
    scene.cache.beginWrite(BETA, 'anything').undone();
    expect(scene.cache.report().evictions).toBeGreaterThan(0);
    scene.cache.clear();
    scene.everywhere = 20n;
    scene.write([], 20);
    const tags = holdForAnswer.mock.contexts[0] as Tags;
    expect(tags.size).toBe(0);
    const holders = released.mock.calls.flatMap(([list]) => list.map((tag) => tag.holders));
    expect(holders.every((count) => count === 0)).toBe(true);
    expect(scene.cache.report()).toMatchObject({ entries: 0, bytes: 0 });
  });
});
