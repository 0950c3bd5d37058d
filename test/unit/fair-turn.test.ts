import { describe, expect, it } from '@jest/globals';
import { nextTurn } from '../../src/sharding/tenant-roles/fair-turn.js';

describe('nextTurn', () => {
  it('serves who waits longest among tenants that have the fewest', () => {
    expect(nextTurn(['a', 'a', 'b'], new Map(), 5)).toBe(0);
    expect(nextTurn(['a', 'a', 'b'], new Map([['a', 1]]), 5)).toBe(2);
    expect(
      nextTurn(
        ['a', 'b', 'c'],
        new Map([
          ['a', 2],
          ['b', 1],
          ['c', 1],
        ]),
        5,
      ),
    ).toBe(1);
  });

  it('gives no tenant more than its share, and leaves a place free rather', () => {
    expect(nextTurn(['a'], new Map([['a', 2]]), 2)).toBeUndefined();
    expect(
      nextTurn(
        ['a', 'b'],
        new Map([
          ['a', 2],
          ['b', 2],
        ]),
        2,
      ),
    ).toBeUndefined();
    expect(nextTurn([], new Map(), 2)).toBeUndefined();
  });

  it('lets a tenant with one request wait for one turn, however many another one sends', () => {
    const waiting = [...Array.from({ length: 1_000 }, () => 'flood'), 'quiet'];
    expect(nextTurn(waiting, new Map([['flood', 1]]), 5)).toBe(1_000);
  });
});
