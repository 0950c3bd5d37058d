import { describe, expect, it } from '@jest/globals';
import { CircuitBreaker } from '../../src/sharding/replication/circuit-breaker.js';

function opened(failuresToOpen = 1): CircuitBreaker {
  const breaker = new CircuitBreaker(failuresToOpen);
  for (let failure = 0; failure < failuresToOpen; failure += 1) breaker.noteFailure(0);
  return breaker;
}

/** When an open breaker lets reads through again, if it is polled every ten milliseconds. */
function reopensAtMs(breaker: CircuitBreaker, fromMs: number): number {
  for (let nowMs = fromMs; ; nowMs += 10) {
    breaker.noteAnswer(nowMs);
    if (!breaker.isOpen) return nowMs;
  }
}

describe('the circuit breaker of a replica', () => {
  it('opens after so many failures in a row', () => {
    const breaker = new CircuitBreaker(3);
    breaker.noteFailure(0);
    breaker.noteFailure(0);
    expect(breaker.isOpen).toBe(false);
    breaker.noteFailure(0);
    expect(breaker.isOpen).toBe(true);
  });

  it('stays closed when a read succeeds between the failures', () => {
    const breaker = new CircuitBreaker(3);
    for (let round = 0; round < 10; round += 1) {
      breaker.noteFailure(round);
      breaker.noteFailure(round);
      breaker.noteSuccess();
    }
    expect(breaker.isOpen).toBe(false);
  });

  it('lets reads through again after a poll that is answered when its time is over, not before', () => {
    const breaker = opened();
    breaker.noteAnswer(249);
    expect(breaker.isOpen).toBe(true);
    breaker.noteAnswer(250);
    expect(breaker.isOpen).toBe(false);
  });

  it('opens at once when the first read after that fails, twice as long each time, up to ten seconds', () => {
    const breaker = opened(3);
    const openMs: number[] = [];
    let nowMs = 0;
    for (let round = 0; round < 8; round += 1) {
      const reopenedAtMs = reopensAtMs(breaker, nowMs);
      openMs.push(reopenedAtMs - nowMs);
      nowMs = reopenedAtMs;
      breaker.noteFailure(nowMs);
      expect(breaker.isOpen).toBe(true);
    }
    expect(openMs).toEqual([250, 500, 1_000, 2_000, 4_000, 8_000, 10_000, 10_000]);
  });

  it('is as good as new after a read that succeeds when it is half-open', () => {
    const breaker = opened(2);
    breaker.noteAnswer(250);
    breaker.noteSuccess();
    breaker.noteFailure(300);
    expect(breaker.isOpen).toBe(false);
    breaker.noteFailure(300);
    expect(reopensAtMs(breaker, 300)).toBe(550);
  });

  it('takes no notice of reads that come to an end while it is open', () => {
    const breaker = opened();
    breaker.noteSuccess();
    expect(breaker.isOpen).toBe(true);
    breaker.noteFailure(200);
    expect(reopensAtMs(breaker, 200)).toBe(250);
  });
});
