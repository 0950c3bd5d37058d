import { describe, expect, it } from '@jest/globals';
import { RequestTrace } from '../../src/common/request-trace.js';
import type { WrittenPosition } from '../../src/common/written-position.js';

const OWN = 'ownownow';
const OTHER = 'otherone';
const isOwn = ({ writer }: WrittenPosition): boolean => writer === OWN;

function at(lsn: bigint, writer?: string): WrittenPosition {
  return { shardId: 's0', timeline: 1, lsn, writer };
}

function reading(...positions: WrittenPosition[]): {
  ofCache: bigint | undefined;
  ofNodes: bigint | undefined;
} {
  const trace = new RequestTrace();
  trace.requirePositions(positions, isOwn);
  return { ofCache: trace.tokenPosition('s0')?.lsn, ofNodes: trace.requiredPosition('s0')?.lsn };
}

describe('a chain of calls that brings tokens', () => {
  it('asks nodes for its own process’s writes, and not the cache, which knows of them', () => {
    expect(reading(at(9n, OWN))).toEqual({ ofCache: undefined, ofNodes: 9n });
  });

  it('asks both for the writes of others and of nobody in particular', () => {
    expect(reading(at(9n, OTHER))).toEqual({ ofCache: 9n, ofNodes: 9n });
    expect(reading(at(9n))).toEqual({ ofCache: 9n, ofNodes: 9n });
  });

  it('asks the cache for another’s write also where its own is as far, or farther', () => {
    for (const own of [at(5n, OWN), at(9n, OWN)]) {
      for (const tokens of [
        [at(5n, OTHER), own],
        [own, at(5n, OTHER)],
      ]) {
        expect(reading(...tokens)).toEqual({ ofCache: 5n, ofNodes: own.lsn });
      }
    }
  });

  it('asks the cache for everything where nobody says what it knows', () => {
    const trace = new RequestTrace();
    trace.requirePositions([at(9n, OWN)]);
    expect(trace.tokenPosition('s0')?.lsn).toBe(9n);
  });

  it('does not ask the cache for what it writes itself', () => {
    const trace = new RequestTrace();
    trace.noteWrite(at(9n, OWN));
    expect([trace.tokenPosition('s0'), trace.requiredPosition('s0')?.lsn]).toEqual([undefined, 9n]);
  });
});

describe('a chain of calls that wrote', () => {
  it('tells how far it wrote on each shard', () => {
    const trace = new RequestTrace();
    for (const lsn of [5n, 9n, 7n]) trace.noteWrite(at(lsn, OWN));
    expect(trace.written).toEqual([at(9n, OWN)]);
  });

  it('tells of a transaction that wrote nothing only where there was no other', () => {
    const trace = new RequestTrace();
    const elsewhere = { ...at(8n), shardId: 's1' };
    trace.noteWrite(at(5n));
    expect(trace.written).toEqual([at(5n)]);
    for (const position of [at(9n, OWN), at(11n), elsewhere]) trace.noteWrite(position);
    expect(trace.written).toEqual([at(9n, OWN), elsewhere]);
  });

  it('tells them as nobody’s in particular when its answer rests on what others wrote', () => {
    const trace = new RequestTrace();
    for (const position of [at(5n), at(9n, OWN)]) trace.noteWrite(position);
    trace.restOnOthers();
    expect(trace.written).toEqual([at(9n)]);
  });
});
