import { describe, expect, it } from '@jest/globals';
import type { BusyNode } from '../../src/sharding/replication/replica-health.js';
import { REPLICATION_DEFAULTS } from '../../src/sharding/replication/replication-options.js';
import { ShardHealth } from '../../src/sharding/replication/shard-health.js';

const MEBIBYTE = 1024n * 1024n;

/** A shard with this many replicas; primary and replicas have answered at time 0, at LSN 100 of timeline 1. */
function shardOf(replicaCount: number): ShardHealth<BusyNode> {
  const nodes = Array.from({ length: replicaCount }, (_, index) => ({ id: `r${index + 1}`, inUse: 0 }));
  const shard = new ShardHealth<BusyNode>(nodes, REPLICATION_DEFAULTS);
  writes(shard, 100n, 0);
  for (const index of nodes.keys()) replays(shard, index, 100n, 0);
  return shard;
}

function writes(shard: ShardHealth<BusyNode>, lsn: bigint, nowMs: number, timeline = 1): void {
  shard.primary.answered({ inRecovery: false, timeline, lsn }, nowMs);
  shard.judge(nowMs);
}

function replays(
  shard: ShardHealth<BusyNode>,
  index: number,
  lsn: bigint,
  nowMs: number,
  timeline = 1,
): void {
  shard.replicas[index]?.answered({ inRecovery: true, timeline, lsn }, nowMs);
  shard.judge(nowMs);
}

describe('a replica', () => {
  it('is out until it was asked', () => {
    const shard = new ShardHealth([{ id: 'r1', inUse: 0 }], REPLICATION_DEFAULTS);
    shard.judge(0);
    expect(shard.replicas[0]).toMatchObject({ state: 'unknown', reason: 'not asked yet' });
  });

  it('is in use when it answers, also while its primary never did: its lag is not known then', () => {
    const shard = new ShardHealth([{ id: 'r1', inUse: 0 }], REPLICATION_DEFAULTS);
    replays(shard, 0, 100n, 0);
    expect(shard.replicas[0]).toMatchObject({ state: 'up', reason: undefined });
    expect(shard.replicas[0]?.lagMs).toBeUndefined();
    expect(shard.replicas[0]?.lagBytes).toBeUndefined();
  });

  it('lags by bytes and by time, and is in use up to 8 MiB', () => {
    const shard = shardOf(1);
    writes(shard, 100n + 8n * MEBIBYTE, 1_000);
    replays(shard, 0, 100n, 1_500);
    expect(shard.replicas[0]).toMatchObject({ reason: undefined, lagBytes: 8 * 1024 * 1024, lagMs: 500 });
    writes(shard, 101n + 8n * MEBIBYTE, 1_600);
    expect(shard.replicas[0]).toMatchObject({ state: 'up', reason: 'lagging' });
    replays(shard, 0, 101n + 8n * MEBIBYTE, 1_700);
    expect(shard.replicas[0]).toMatchObject({ reason: undefined, lagBytes: 0, lagMs: 0 });
  });

  it('is out when one byte has been missing for more than a minute', () => {
    const shard = shardOf(1);
    writes(shard, 101n, 1_000);
    replays(shard, 0, 100n, 61_000);
    expect(shard.replicas[0]?.reason).toBeUndefined();
    replays(shard, 0, 100n, 61_001);
    expect(shard.replicas[0]?.reason).toBe('lagging');
  });

  it('is in use after any time in which nothing was written', () => {
    const shard = shardOf(1);
    writes(shard, 100n, 86_400_000);
    replays(shard, 0, 100n, 86_400_000);
    expect(shard.replicas[0]).toMatchObject({ reason: undefined, lagMs: 0 });
  });

  it('is out for the reason that its poll failed with, and its lag is not known', () => {
    const shard = shardOf(1);
    shard.replicas[0]?.failed('does not answer');
    shard.judge(100);
    expect(shard.replicas[0]).toMatchObject({ state: 'down', reason: 'does not answer', lsn: 100n });
    expect(shard.replicas[0]?.lagMs).toBeUndefined();
    replays(shard, 0, 100n, 200);
    expect(shard.replicas[0]).toMatchObject({ state: 'up', reason: undefined });
  });

  it('is out when it was promoted behind the gateway’s back', () => {
    const shard = shardOf(1);
    shard.replicas[0]?.answered({ inRecovery: false, timeline: 2, lsn: 900n }, 100);
    shard.judge(100);
    expect(shard.replicas[0]).toMatchObject({ state: 'down', reason: 'not a replica any more', lsn: 100n });
  });

  it('is out while it is on another timeline than its primary', () => {
    const shard = shardOf(1);
    writes(shard, 110n, 100, 2);
    expect(shard.replicas[0]?.reason).toBe('on another timeline');
    replays(shard, 0, 110n, 200, 2);
    expect(shard.replicas[0]?.reason).toBeUndefined();
  });

  it('is out after a crash until it has again what it was seen to have', () => {
    const shard = shardOf(1);
    shard.replicas[0]?.failed('cannot be reached');
    replays(shard, 0, 99n, 100);
    expect(shard.replicas[0]).toMatchObject({ state: 'up', reason: 'catching up', lsn: 100n });
    replays(shard, 0, 100n, 200);
    expect(shard.replicas[0]?.reason).toBeUndefined();
  });

  it('is out from a failed read to the next answer; three failed reads in a row open its breaker', () => {
    const shard = shardOf(1);
    const fail = (nowMs: number): void => {
      shard.replicas[0]?.readFailed(nowMs);
      shard.replicas[0]?.doubted();
      shard.judge(nowMs);
    };
    for (const nowMs of [1, 2]) {
      fail(nowMs);
      // Nor is it known how far it is.
      expect(shard.replicas[0]).toMatchObject({
        ...{ state: 'up', reason: 'in doubt' },
        ...{ lagMs: undefined, lagBytes: undefined },
      });
      // Those that were under way together count once.
      fail(nowMs);
      replays(shard, 0, 100n, nowMs);
      expect(shard.replicas[0]?.reason).toBeUndefined();
    }
    fail(3);
    replays(shard, 0, 100n, 4);
    expect(shard.replicas[0]?.reason).toBe('breaker open');
    replays(shard, 0, 100n, 253);
    expect(shard.replicas[0]?.reason).toBeUndefined();
  });
});

describe('a primary', () => {
  it('that is a standby is down, and says nothing of the log', () => {
    const shard = shardOf(1);
    shard.primary.answered({ inRecovery: true, timeline: 7, lsn: 999n }, 100);
    shard.judge(100);
    expect(shard.primary).toMatchObject({ state: 'down', reason: 'is a standby', timeline: 1, lsn: 100n });
    expect(shard.replicas[0]?.reason).toBeUndefined();
  });

  it('is out from a failed statement to its next answer', () => {
    const shard = shardOf(0);
    shard.primary.doubted();
    expect(shard.primary).toMatchObject({ state: 'up', reason: 'in doubt' });
    writes(shard, 100n, 100);
    expect(shard.primary.reason).toBeUndefined();
  });
});

describe('a position', () => {
  const at = (lsn: bigint, timeline = 1) => ({ timeline, lsn });

  it('is everywhere when every replica has replayed it, and always where there is no replica', () => {
    const shard = shardOf(2);
    expect(shard.isEverywhere(at(100n))).toBe(true);
    expect(shard.isEverywhere(at(101n))).toBe(false);
    replays(shard, 0, 200n, 100);
    expect(shard.isEverywhere(at(101n))).toBe(false);
    replays(shard, 1, 101n, 100);
    expect(shard.isEverywhere(at(101n))).toBe(true);
    expect(shardOf(0).isEverywhere(at(999n))).toBe(true);
  });

  it('is not everywhere while one replica that lacks it is away', () => {
    const shard = shardOf(2);
    shard.replicas[1]?.failed('cannot be reached');
    replays(shard, 0, 200n, 100);
    expect(shard.isEverywhere(at(150n))).toBe(false);
    expect(shard.isEverywhere(at(100n))).toBe(true);
  });

  it('of the timeline before a promotion is everywhere when all replicas follow the new one', () => {
    const shard = shardOf(2);
    writes(shard, 150n, 100, 2);
    expect(shard.isEverywhere(at(140n))).toBe(false);
    replays(shard, 0, 160n, 200, 2);
    expect(shard.isEverywhere(at(140n))).toBe(false);
    // It went on along the old timeline.
    replays(shard, 1, 155n, 200, 1);
    expect(shard.isEverywhere(at(140n))).toBe(false);
    replays(shard, 1, 149n, 200, 2);
    expect(shard.isEverywhere(at(140n))).toBe(false);
    replays(shard, 1, 150n, 200, 2);
    expect(shard.isEverywhere(at(140n))).toBe(true);
    // It was lost with its timeline: nobody can show it.
    expect(shard.isEverywhere(at(999n))).toBe(true);
    expect(shard.isEverywhere(at(1n, 3))).toBe(false);
  });
});
