import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { LagClock } from '../../src/sharding/replication/lag-clock.js';
import { endOfLastRecord } from '../../src/sharding/replication/node-answer.js';

/** A clock that was shown these positions, one every 100 ms from 0 on. */
function clockOf(...lsns: bigint[]): LagClock {
  const clock = new LagClock();
  lsns.forEach((lsn, index) => {
    clock.note(lsn, index * 100);
  });
  return clock;
}

/** The lag by definition, from every sample there ever was. */
function exactLagMs(lsns: readonly bigint[], pollMs: number, replayed: bigint, nowMs: number): number {
  const first = lsns.findIndex((lsn) => lsn > replayed);
  return first === -1 ? 0 : nowMs - first * pollMs;
}

describe('the lag of a replica', () => {
  it('is the age of the first position that it has not replayed', () => {
    const clock = clockOf(10n, 20n, 30n);
    expect(clock.lagMs(15n, 1_000)).toBe(900);
    expect(clock.lagMs(20n, 1_000)).toBe(800);
  });

  it('is nothing when it has replayed all, however long the primary has been idle', () => {
    const clock = clockOf(10n, 10n, 10n);
    expect(clock.lagMs(10n, 86_400_000)).toBe(0);
    expect(new LagClock().lagMs(0n, 1_000)).toBe(0);
  });

  it('grows while the replica receives nothing, and does not begin anew with each write', () => {
    const clock = clockOf(10n, 20n);
    expect(clock.lagMs(10n, 200)).toBe(100);
    clock.note(30n, 5_000);
    expect(clock.lagMs(10n, 5_000)).toBe(4_900);
  });

  it('forgets what is replayed everywhere without changing the lag of anybody beyond it', () => {
    const clock = clockOf(10n, 20n, 30n);
    clock.forgetUpTo(20n);
    expect(clock.lagMs(20n, 1_000)).toBe(800);
    clock.forgetUpTo(30n);
    expect(clock.lagMs(30n, 1_000)).toBe(0);
    expect(clock.latest).toBe(30n);
  });

  it('begins anew when the primary is back before its last position', () => {
    const clock = clockOf(10n, 500n);
    clock.note(20n, 300);
    expect(clock.lagMs(15n, 400)).toBe(100);
    expect(clock.latest).toBe(20n);
  });

  it('is never overstated, and understated by a tenth at most, over hours of writes', () => {
    const pollMs = 100;
    fc.assert(
      fc.property(
        fc.array(fc.bigInt({ min: 1n, max: 1_000_000n }), { minLength: 1_000, maxLength: 20_000 }),
        fc.integer({ min: 0, max: 1_000 }),
        (steps, replayedPermille) => {
          let lsn = 0n;
          const lsns = steps.map((step) => (lsn += step));
          const clock = clockOf(...lsns);
          const nowMs = lsns.length * pollMs;
          const replayed = lsns[Math.floor((replayedPermille * (lsns.length - 1)) / 1_000)] ?? 0n;
          const exact = exactLagMs(lsns, pollMs, replayed, nowMs);
          const told = clock.lagMs(replayed, nowMs);
          expect(told).toBeLessThanOrEqual(exact);
          expect(told).toBeGreaterThanOrEqual(exact * 0.9 - pollMs);
        },
      ),
      { numRuns: 50 },
    );
  });
});

describe('the end of the last record', () => {
  it('is the insert position, but before the header of a page that has no record yet', () => {
    expect(endOfLastRecord(0x3000f00n, 8_192n)).toBe(0x3000f00n);
    expect(endOfLastRecord(0x3002000n + 24n, 8_192n)).toBe(0x3002000n);
    expect(endOfLastRecord(0x3000000n + 40n, 8_192n)).toBe(0x3000000n);
    expect(endOfLastRecord(0x3002000n + 40n, 8_192n)).toBe(0x3002000n + 40n);
    expect(endOfLastRecord(0x3002000n + 24n, 16_384n)).toBe(0x3002000n + 24n);
  });
});
