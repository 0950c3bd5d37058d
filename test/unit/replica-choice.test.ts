import { describe, expect, it } from '@jest/globals';
import { chooseReplica, type ReplicaCandidate } from '../../src/sharding/replication/replica-choice.js';

function replica(id: string, fields: Partial<ReplicaCandidate> = {}): ReplicaCandidate {
  return { id, healthy: true, timeline: 1, replayedLsn: 100n, inUse: 0, ...fields };
}

/** Gives these numbers one after the other. */
function dice(...rolls: number[]): () => number {
  return () => rolls.shift() ?? 0;
}

describe('the choice of a replica', () => {
  it('finds none when there is none, or none is healthy', () => {
    const none: ReplicaCandidate[] = [];
    expect(chooseReplica(none, undefined, dice(0))).toBeUndefined();
    expect(chooseReplica([replica('a', { healthy: false })], undefined, dice(0))).toBeUndefined();
  });

  it('takes only a replica that has replayed what the read must show', () => {
    const candidates = [replica('behind', { replayedLsn: 99n }), replica('there', { inUse: 9 })];
    const required = { timeline: 1, lsn: 100n };
    expect(chooseReplica(candidates, required, dice(0, 0))?.id).toBe('there');
    expect(chooseReplica(candidates, { timeline: 1, lsn: 101n }, dice(0, 0))).toBeUndefined();
  });

  it('takes none of another timeline, however far it is', () => {
    const candidates = [
      replica('old', { replayedLsn: 999n }),
      replica('new', { timeline: 3, replayedLsn: 999n }),
    ];
    expect(chooseReplica(candidates, { timeline: 2, lsn: 1n }, dice(0, 0))).toBeUndefined();
  });

  it('takes the less busy of the two that were drawn, not the idlest of all', () => {
    const candidates = [replica('a', { inUse: 5 }), replica('b', { inUse: 3 }), replica('c', { inUse: 0 })];
    expect(chooseReplica(candidates, undefined, dice(0, 0))?.id).toBe('b');
    expect(chooseReplica(candidates, undefined, dice(0, 0.99))?.id).toBe('c');
  });

  it('draws two different ones, each pair sometimes', () => {
    const candidates = [replica('a', { inUse: 2 }), replica('b', { inUse: 1 }), replica('c', { inUse: 0 })];
    const chosen = [0, 0.4, 0.8].flatMap((first) =>
      [0, 0.6].map((second) => chooseReplica(candidates, undefined, dice(first, second))?.id),
    );
    // The busiest is never chosen, because it is never drawn against itself.
    expect(chosen.sort()).toEqual(['b', 'b', 'c', 'c', 'c', 'c']);
  });

  it('spreads reads over replicas that are equally busy', () => {
    const candidates = [replica('a'), replica('b')];
    const chosen = [0, 0.5].map((first) => chooseReplica(candidates, undefined, dice(first, 0))?.id);
    expect(chosen).toEqual(['a', 'b']);
  });
});
