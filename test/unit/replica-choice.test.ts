import { describe, expect, it } from '@jest/globals';
import { chooseReplica, type ReplicaCandidate } from '../../src/sharding/replication/replica-choice.js';

function replica(id: string, fields: Partial<ReplicaCandidate> = {}): ReplicaCandidate {
  return { id, reason: undefined, timeline: 1, lsn: 100n, inUse: 0, ...fields };
}

/** Gives these numbers one after the other. */
function dice(...rolls: number[]): () => number {
  return () => rolls.shift() ?? 0;
}

describe('the choice of a replica', () => {
  it('finds none when there is none, or all are out', () => {
    const none: ReplicaCandidate[] = [];
    expect(chooseReplica(none, undefined, undefined, dice(0))).toBeUndefined();
    const out = [replica('a', { reason: 'lagging' }), replica('b', { reason: 'breaker open' })];
    expect(chooseReplica(out, undefined, undefined, dice(0))).toBeUndefined();
  });

  it('takes none under which this read failed already', () => {
    const candidates = [replica('a'), replica('b', { inUse: 9 })];
    expect(chooseReplica(candidates, undefined, new Set(['a']), dice(0))?.id).toBe('b');
    expect(chooseReplica(candidates, undefined, new Set(['a', 'b']), dice(0))).toBeUndefined();
  });

  it('takes only a replica that has replayed what the read must show', () => {
    const candidates = [replica('behind', { lsn: 99n }), replica('there', { inUse: 9 })];
    const required = { timeline: 1, lsn: 100n };
    expect(chooseReplica(candidates, required, undefined, dice(0, 0))?.id).toBe('there');
    expect(chooseReplica(candidates, { timeline: 1, lsn: 101n }, undefined, dice(0, 0))).toBeUndefined();
  });

  it('takes none of another timeline, however far it is', () => {
    const candidates = [replica('old', { lsn: 999n }), replica('new', { timeline: 3, lsn: 999n })];
    expect(chooseReplica(candidates, { timeline: 2, lsn: 1n }, undefined, dice(0, 0))).toBeUndefined();
  });

  it('takes the less busy of the two that were drawn, not the idlest of all', () => {
    const candidates = [replica('a', { inUse: 5 }), replica('b', { inUse: 3 }), replica('c', { inUse: 0 })];
    expect(chooseReplica(candidates, undefined, undefined, dice(0, 0))?.id).toBe('b');
    expect(chooseReplica(candidates, undefined, undefined, dice(0, 0.99))?.id).toBe('c');
  });

  it('draws two different ones, each pair sometimes, and only from those that qualify', () => {
    const candidates = [
      replica('out', { reason: 'does not answer' }),
      replica('a', { inUse: 2 }),
      replica('b', { inUse: 1 }),
      replica('behind', { lsn: 1n }),
      replica('c', { inUse: 0 }),
    ];
    const required = { timeline: 1, lsn: 100n };
    const chosen = [0, 0.4, 0.8].flatMap((first) =>
      [0, 0.6].map((second) => chooseReplica(candidates, required, undefined, dice(first, second))?.id),
    );
    // The busiest is never chosen, because it is never drawn against itself.
    expect(chosen.sort()).toEqual(['b', 'b', 'c', 'c', 'c', 'c']);
  });

  it('gives either of two that are equally busy', () => {
    const candidates = [replica('a'), replica('b')];
    const chosen = [0, 0.5].map((roll) => chooseReplica(candidates, undefined, undefined, dice(roll, 0))?.id);
    expect(chosen).toEqual(['a', 'b']);
  });
});
