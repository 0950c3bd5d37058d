import { describe, expect, it } from '@jest/globals';
import { findDrift } from '../../src/sharding/migrations/drift.js';

function shards(schemas: Record<string, string[]>): ReadonlyMap<string, string[]> {
  return new Map(Object.entries(schemas));
}

describe('findDrift', () => {
  it('finds nothing between equal schemas, whatever their order', () => {
    expect(findDrift(shards({ s0: ['a', 'b'], s1: ['b', 'a'] }))).toEqual([]);
    expect(findDrift(shards({ s0: ['a'] }))).toEqual([]);
    expect(findDrift(new Map())).toEqual([]);
  });

  it('takes the majority’s word for what is missing and what is too much', () => {
    const found = findDrift(shards({ s0: ['a', 'b'], s1: ['a', 'c'], s2: ['a', 'b'] }));
    expect(found).toEqual([{ shardId: 's1', missing: ['b'], unexpected: ['c'] }]);
  });

  it('names a line on half of the shards on both sides, since nobody can tell who is right', () => {
    expect(findDrift(shards({ s0: ['a', 'b'], s1: ['a'] }))).toEqual([
      { shardId: 's0', missing: [], unexpected: ['b'] },
      { shardId: 's1', missing: ['b'], unexpected: [] },
    ]);
  });

  it('goes by a recorded schema where there is one, against any majority', () => {
    const found = findDrift(shards({ s0: ['a', 'x'], s1: ['a', 'x'], s2: ['a', 'b'] }), ['a', 'b']);
    expect(found).toEqual([
      { shardId: 's0', missing: ['b'], unexpected: ['x'] },
      { shardId: 's1', missing: ['b'], unexpected: ['x'] },
    ]);
  });

  it('does not count a line twice that a shard has twice', () => {
    const found = findDrift(shards({ s0: ['a', 'b', 'b'], s1: ['a'], s2: ['a'] }));
    expect(found).toEqual([{ shardId: 's0', missing: [], unexpected: ['b'] }]);
  });
});
