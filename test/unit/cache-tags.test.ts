import { describe, expect, it } from '@jest/globals';
import type { Tag } from '../../src/cache/tag.js';
import { Tags } from '../../src/cache/tags.js';
import { ACME, BETA, anyRows, at, rows } from './query-cache-scene.js';

/** Tags, and what every node shows. */
class Shown {
  everywhere = 0n;
  readonly tags = new Tags(({ lsn }) => lsn <= this.everywhere);

  /** A write that nobody holds tags of any more. */
  write(ids: readonly string[], lsn: number): void {
    const held = this.tags.holdForWrite(ACME, rows(...ids));
    this.tags.change(held, at(lsn));
    this.tags.release(held);
  }

  /** What a node must show to answer with this row. */
  leastOf(id: string): bigint | undefined {
    const held = this.tags.holdForAnswer(ACME, rows(id));
    const found = held.map(({ position }) => position?.lsn).filter((lsn) => lsn !== undefined);
    this.tags.release(held);
    return found.sort((one, other) => Number(one - other)).at(-1);
  }
}

const namesOf = (tags: readonly Tag[]): string[] => tags.map(({ name }) => name).sort();

describe('tags', () => {
  it('are the same for whoever holds them at a time, and made anew after that', () => {
    const { tags } = new Shown();
    const one = tags.holdForWrite(ACME, rows('1'));
    const other = tags.holdForAnswer(ACME, rows('1'));
    expect(other).toEqual(expect.arrayContaining([one[1]]));
    tags.release(one);
    expect(tags.size).toBeGreaterThan(0);
    tags.release(other);
    expect(tags.size).toBe(0);
    expect(tags.holdForWrite(ACME, rows('1'))[1]).not.toBe(one[1]);
  });

  it('are held as often as they are let go of, also where tables and ids are named twice', () => {
    const { tags } = new Shown();
    const tables = [...rows('1', '1'), ...rows('1', '2'), ...anyRows('bank.accounts', 'bank.cards')];
    const answer = tags.holdForAnswer(ACME, tables);
    const write = tags.holdForWrite(ACME, tables);
    tags.change(write, at(10));
    tags.holdAgain(answer);
    tags.release(answer);
    tags.release(write);
    expect(answer.every(({ holders }) => holders > 0)).toBe(true);
    tags.release(answer);
    const shown = new Set([...answer, ...write]);
    expect([...shown].every(({ holders, changedAt }) => holders === (changedAt > 0 ? 1 : 0))).toBe(true);
  });

  it('of an answer cover what writes of its rows change', () => {
    const { tags } = new Shown();
    const answer = tags.holdForAnswer(ACME, rows('1'));
    const of = (held: readonly Tag[]) => held.filter((tag) => answer.includes(tag)).length;
    expect(of(tags.holdForWrite(ACME, rows('1')))).toBe(1);
    expect(of(tags.holdForWrite(ACME, rows('2')))).toBe(0);
    expect(of(tags.holdForWrite(ACME, anyRows('bank.accounts')))).toBe(1);
    expect(of(tags.holdForWrite(ACME, 'anything'))).toBe(1);
    expect(of(tags.holdForShard('s0'))).toBe(1);
    expect(of(tags.holdForWrite(BETA, 'anything'))).toBe(0);
    expect(of(tags.holdForShard('s1'))).toBe(0);
  });

  it('have names of their own, whatever tables and ids are called', () => {
    const { tags } = new Shown();
    const tables = ['a', 'a b', '1 a', 'a 1'];
    const ids = ['b', 'b c', '', ' ', 'c', 'b 1'];
    const names = tables.flatMap((table) => [
      ...namesOf(tags.holdForWrite(ACME, [{ table, ids }])),
      ...namesOf(tags.holdForWrite(BETA, [{ table, ids }])),
      ...namesOf(tags.holdForWrite({ ...ACME, shardId: 's1' }, [{ table, ids }])),
    ]);
    expect(new Set(names).size).toBe(names.length);
  });

  it('outlive their holders until every node shows their change', () => {
    const shown = new Shown();
    shown.write(['1'], 10);
    expect(shown.leastOf('1')).toBe(10n);
    expect(shown.leastOf('2')).toBeUndefined();
    shown.everywhere = 10n;
    shown.write([], 10);
    expect(shown.tags.size).toBe(0);
  });

  it('that change all the time keep none waiting behind them', () => {
    const shown = new Shown();
    for (let lsn = 1; lsn <= 100; lsn += 1) {
      shown.write([`row-${lsn}`], lsn);
      shown.everywhere = BigInt(lsn - 3);
    }
    // The last few rows, and the table.
    expect(shown.tags.size).toBeLessThan(10);
    expect(shown.leastOf('row-99')).toBe(99n);
    expect(shown.leastOf('row-50')).toBeUndefined();
  });

  it('that were let go of for lack of room leave their position to all new ones of their shard', () => {
    const shown = new Shown();
    const ids = Array.from({ length: 30_000 }, (_, id) => `${id}`);
    shown.write(['first'], 5);
    shown.write(ids, 10);
    expect(shown.tags.size).toBe(20_000);
    expect(shown.leastOf('first')).toBe(10n);
    expect(shown.leastOf('never written')).toBe(10n);
    expect(shown.leastOf('29999')).toBe(10n);
    shown.write(['last'], 20);
    expect(shown.leastOf('last')).toBe(20n);
    expect(shown.leastOf('never written')).toBe(10n);
    shown.everywhere = 10n;
    expect(shown.leastOf('never written')).toBeUndefined();
    shown.everywhere = 20n;
    shown.write([], 20);
    expect(shown.tags.size).toBe(0);
  });
});
