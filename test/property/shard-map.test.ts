import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { ConfigurationError, ValidationError } from '../../src/common/gateway-error.js';
import { BUCKET_COUNT } from '../../src/sharding/topology/bucket.js';
import { ShardMap } from '../../src/sharding/topology/shard-map.js';
import type { ShardMapRecord } from '../../src/sharding/topology/shard-map-record.js';

const shardId = fc.stringMatching(/^[a-z][a-z0-9_]{0,30}$/);
const shardIds = fc.uniqueArray(shardId, { minLength: 1, maxLength: 20 });
const tenantId = fc.stringMatching(/^[a-z0-9][a-z0-9-]{0,62}$/);

/** Any map: runs of buckets on any shards, any dedicated tenants, any epoch. */
const record: fc.Arbitrary<ShardMapRecord> = fc
  .record({
    epoch: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER - 1 }),
    shards: shardIds,
    ends: fc.uniqueArray(fc.integer({ min: 0, max: BUCKET_COUNT - 2 }), { maxLength: 50 }),
    overrides: fc.dictionary(tenantId, shardId, { maxKeys: 10, noNullPrototype: true }),
  })
  .map(({ epoch, shards, ends, overrides }) => {
    const lasts = [...ends.sort((a, b) => a - b), BUCKET_COUNT - 1];
    const ranges = lasts.map((last, index): [number, number, string] => [
      index === 0 ? 0 : lasts[index - 1]! + 1,
      last,
      shards[index % shards.length]!,
    ]);
    return { format: 1, epoch, ranges, overrides };
  });

function ownersOf(map: ShardMap): string[] {
  return Array.from({ length: BUCKET_COUNT }, (_, bucket) => map.shardOf({ tenantId: 'nobody', bucket }));
}

describe('the first shard map', () => {
  it('gives no shard more than one bucket more than another, and every bucket a shard', () => {
    fc.assert(
      fc.property(shardIds, (ids) => {
        const map = ShardMap.initial(ids);
        const counts = ids.map((id) => map.bucketsOf(id).length);
        expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
        expect(counts.reduce((a, b) => a + b)).toBe(BUCKET_COUNT);
        expect(map.shardIds).toEqual(ids);
      }),
    );
  });

  it('is refused for no shards, two of one id, or an id that is no name', () => {
    expect(() => ShardMap.initial([])).toThrow(ConfigurationError);
    expect(() => ShardMap.initial(['s0', 's1', 's0'])).toThrow('same id');
    expect(() => ShardMap.initial(['s0', "s'1"])).toThrow(ConfigurationError);
  });
});

describe('a shard map', () => {
  it('comes back from its JSON as it was', () => {
    fc.assert(
      fc.property(record, (stored) => {
        const map = ShardMap.fromRecord(stored);
        const again = ShardMap.fromRecord(JSON.parse(JSON.stringify(map.toRecord())));
        expect(again.toRecord()).toEqual(map.toRecord());
        expect(again.epoch).toBe(stored.epoch);
        expect(ownersOf(again)).toEqual(ownersOf(map));
        for (const [tenant, shard] of Object.entries(stored.overrides)) {
          expect(again.shardOfTenant(tenant)).toBe(shard);
        }
      }),
    );
  });

  it('is small as JSON: one entry per run of buckets', () => {
    const { ranges } = ShardMap.initial(['s0', 's1', 's2']).toRecord();
    expect(ranges).toEqual([
      [0, 1364, 's0'],
      [1365, 2729, 's1'],
      [2730, 4095, 's2'],
    ]);
  });

  it('has all of a dedicated tenant on one shard, and no other tenant there', () => {
    const map = ShardMap.initial(['s0', 's1']).withOverride('big', 's9');
    const owners = [0, 1000, 4095].map((bucket) => map.shardOf({ tenantId: 'big', bucket }));
    expect(owners).toEqual(['s9', 's9', 's9']);
    expect(new Set(ownersOf(map))).toEqual(new Set(['s0', 's1']));
    expect(map.shardIds).toEqual(['s0', 's1', 's9']);
    expect(map.pooledShardIds).toEqual(['s0', 's1']);
  });

  it('never changes: a change makes a map of the next epoch', () => {
    const map = ShardMap.initial(['s0', 's1']);
    const changed = map.withOverride('big', 's1');
    expect([map.epoch, changed.epoch]).toEqual([1, 2]);
    expect(map.shardOfTenant('big')).toBeUndefined();
    expect(changed.withOverride('big', 's1')).toBe(changed);
  });

  it('keeps a dedicated tenant where its rows are', () => {
    const map = ShardMap.initial(['s0', 's1']).withOverride('big', 's1');
    expect(() => map.withOverride('big', 's0')).toThrow(ConfigurationError);
  });

  it('throws for a bucket that does not exist, for dedicated tenants too', () => {
    const map = ShardMap.initial(['s0']).withOverride('big', 's0');
    for (const bucket of [-1, BUCKET_COUNT, 0.5, Number.NaN]) {
      expect(() => map.shardOf({ tenantId: 'acme', bucket })).toThrow(ValidationError);
      expect(() => map.shardOf({ tenantId: 'big', bucket })).toThrow(ValidationError);
    }
  });

  it('names the shards that the configuration lacks', () => {
    const map = ShardMap.initial(['s0', 's1', 's2']).withOverride('big', 's9');
    expect(() => {
      map.assertServedBy(['s0', 's2', 's7']);
    }).toThrow(/s1, s9/);
    expect(() => {
      map.assertServedBy(['s0', 's1', 's2', 's9']);
    }).not.toThrow();
  });

  it('is not read from a record that leaves a bucket out, gives one twice, or is of another form', () => {
    const good = ShardMap.initial(['s0', 's1']).toRecord();
    const damaged: unknown[] = [
      null,
      {},
      { ...good, format: 2 },
      { ...good, epoch: 0 },
      { ...good, epoch: 1.5 },
      { ...good, extra: true },
      { ...good, ranges: [] },
      { ...good, ranges: [[0, 4094, 's0']] },
      { ...good, ranges: [[1, 4095, 's0']] },
      { ...good, ranges: [[0, 4096, 's0']] },
      {
        ...good,
        ranges: [
          [0, 2048, 's0'],
          [2048, 4095, 's1'],
        ],
      },
      {
        ...good,
        ranges: [
          [0, 2046, 's0'],
          [2048, 4095, 's1'],
        ],
      },
      {
        ...good,
        ranges: [
          [2048, 4095, 's1'],
          [0, 2047, 's0'],
        ],
      },
      { ...good, ranges: [[0, 4095, 'S 0']] },
      {
        ...good,
        ranges: [
          [0, 2047, 's0'],
          [2048, 9, 's1'],
          [2048, 4095, 's1'],
        ],
      },
      { ...good, overrides: { 'Not a slug': 's0' } },
      { ...good, overrides: { big: '' } },
    ];
    for (const record of damaged) expect(() => ShardMap.fromRecord(record)).toThrow(ConfigurationError);
  });
});
