import { describe, expect, it } from '@jest/globals';
import type { ShardPosition } from '../../src/common/shard-position.js';
import { OwnWrites } from '../../src/sharding/replication/own-writes.js';
import { ShardFloors } from '../../src/sharding/replication/shard-floors.js';

const at = (lsn: bigint, shardId = 's0'): ShardPosition => ({ shardId, timeline: 1, lsn });

/** Own writes and floors over replicas that have replayed up to what `replayed` is set to. */
function world() {
  const state = { replayed: 0n };
  const isEverywhere = ({ lsn }: ShardPosition): boolean => lsn <= state.replayed;
  const floors = new ShardFloors(isEverywhere);
  return { state, floors, ownWrites: new OwnWrites(isEverywhere, floors) };
}

describe('a user’s own writes', () => {
  it('hold this user’s reads of this shard, and nobody else’s, until every replica has them', () => {
    const { state, ownWrites } = world();
    ownWrites.note('acme', 'u1', at(10n));
    expect(ownWrites.required('acme', 'u1', 's0')).toEqual(at(10n));
    expect(ownWrites.required('acme', 'u2', 's0')).toBeUndefined();
    expect(ownWrites.required('umbrella', 'u1', 's0')).toBeUndefined();
    expect(ownWrites.required('acme', 'u1', 's1')).toBeUndefined();
    state.replayed = 10n;
    expect(ownWrites.required('acme', 'u1', 's0')).toBeUndefined();
  });

  it('are the farthest of those noted, in whichever order', () => {
    const { ownWrites } = world();
    ownWrites.note('acme', 'u1', at(20n));
    ownWrites.note('acme', 'u1', at(10n));
    expect(ownWrites.required('acme', 'u1', 's0')).toEqual(at(20n));
  });

  it('hold everybody when there are too many users to remember, but only to those that were forgotten', () => {
    const { state, floors, ownWrites } = world();
    ownWrites.note('acme', 'first', at(7n));
    for (let user = 0; user < 100_000; user += 1) ownWrites.note('acme', `u${user}`, at(9n));
    expect(ownWrites.required('acme', 'first', 's0')).toBeUndefined();
    expect(floors.required('s0')).toEqual(at(7n));
    state.replayed = 7n;
    expect(floors.required('s0')).toBeUndefined();
  });
});

describe('the floor of a shard', () => {
  it('holds everybody to the farthest position that it was raised to, until every replica has it', () => {
    const { state, floors } = world();
    floors.raise(at(20n));
    floors.raise(at(10n));
    floors.raise(at(30n, 's1'));
    expect(floors.required('s0')).toEqual(at(20n));
    state.replayed = 20n;
    expect(floors.required('s0')).toBeUndefined();
    expect(floors.required('s1')).toEqual(at(30n, 's1'));
  });

  it('is not raised to what every replica has', () => {
    const { state, floors } = world();
    state.replayed = 20n;
    floors.raise(at(20n));
    state.replayed = 0n;
    expect(floors.required('s0')).toBeUndefined();
  });
});
