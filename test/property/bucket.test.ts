import { readFile } from 'node:fs/promises';
import { beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import xxhash from 'xxhash-wasm';
import { BUCKET_COUNT, BucketHasher } from '../../src/sharding/topology/bucket.js';

interface RoutingVectors {
  readonly buckets: number;
  readonly users: readonly { tenantId: string; userId: string; bucket: number }[];
  readonly values: readonly { tenantId: string; index: string; value: string; bucket: number }[];
}

const tenantId = fc.stringMatching(/^[a-z0-9][a-z0-9-]{0,62}$/);
const userId = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._:@+-]{0,63}$/);

let hasher: BucketHasher;
let vectors: RoutingVectors;

beforeAll(async () => {
  hasher = await BucketHasher.create();
  const file = await readFile(new URL('../../docs/routing-vectors.json', import.meta.url), 'utf8');
  vectors = JSON.parse(file) as RoutingVectors;
});

describe('the bucket of a user', () => {
  it('stays what the published vectors say', () => {
    expect(vectors.buckets).toBe(BUCKET_COUNT);
    expect(vectors.users.length).toBeGreaterThanOrEqual(100);
    const users = vectors.users.map((vector) => ({
      ...vector,
      bucket: hasher.bucketOf(vector.tenantId, vector.userId),
    }));
    const values = vectors.values.map((vector) => ({
      ...vector,
      bucket: hasher.bucketOfValue(vector.tenantId, vector.index, vector.value),
    }));
    expect({ users, values }).toEqual({ users: vectors.users, values: vectors.values });
  });

  it('comes from a hash that gives the values published for xxh64', async () => {
    const api = await xxhash();
    expect([api.h64ToString(''), api.h64ToString('a')]).toEqual(['ef46db3751d8e999', 'd24ec4f1a98c6e5b']);
  });

  it('is one of the buckets, and the same each time', () => {
    fc.assert(
      fc.property(tenantId, userId, (tenant, user) => {
        const bucket = hasher.bucketOf(tenant, user);
        expect(Number.isInteger(bucket) && bucket >= 0 && bucket < BUCKET_COUNT).toBe(true);
        expect(hasher.bucketOf(tenant, user)).toBe(bucket);
      }),
    );
  });

  it('is spread evenly over numbered users of any tenant', () => {
    const usersPerBucket = 32;
    // Of 4,096 counts with mean 32 and deviation 5.7, none strays by seven deviations but by a bad hash.
    const stray = 7 * Math.sqrt(usersPerBucket);
    fc.assert(
      fc.property(tenantId, (tenant) => {
        const counts = new Array<number>(BUCKET_COUNT).fill(0);
        for (let user = 0; user < usersPerBucket * BUCKET_COUNT; user += 1) {
          const bucket = hasher.bucketOf(tenant, `user-${user}`);
          counts[bucket] = counts[bucket]! + 1;
        }
        expect(Math.max(...counts)).toBeLessThan(usersPerBucket + stray);
        // Chi-squared of a fair hash is 4,095 with a deviation of 90.
        const chiSquared = counts.reduce(
          (sum, count) => sum + (count - usersPerBucket) ** 2 / usersPerBucket,
          0,
        );
        expect(chiSquared).toBeLessThan(BUCKET_COUNT + 7 * Math.sqrt(2 * BUCKET_COUNT));
      }),
      { numRuns: 10 },
    );
  });

  it('depends on where the tenant ends and the user begins', () => {
    const pairs = Array.from({ length: 64 }, (_, index) => 'a'.repeat(index + 1)).map((prefix) =>
      hasher.bucketOf(prefix, 'a'.repeat(65 - prefix.length)),
    );
    expect(new Set(pairs).size).toBeGreaterThan(56);
  });

  it('differs between the indexes of one value', () => {
    const buckets = ['account_number', 'vat_number', 'email'].map((index) =>
      hasher.bucketOfValue('acme', index, 'DE123456789'),
    );
    expect(new Set(buckets).size).toBe(3);
  });
});
