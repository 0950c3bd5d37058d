import { beforeAll, describe, expect, it } from '@jest/globals';
import {
  CatalogUnavailableError,
  ScopeMissingError,
  ValidationError,
} from '../../src/common/gateway-error.js';
import { shardIdsOf } from '../../src/sharding/routing/route.js';
import { Router } from '../../src/sharding/routing/router.js';
import { BucketHasher } from '../../src/sharding/topology/bucket.js';
import { IdMint } from '../../src/sharding/topology/id-mint.js';
import { ShardMap } from '../../src/sharding/topology/shard-map.js';

const TENANT = 'acme';
const DEDICATED = 'big';
const MAP = ShardMap.initial(['s0', 's1', 's2']).withOverride(DEDICATED, 's9');
const USERS = Array.from({ length: 50 }, (_, index) => `user-${index}`);

let hasher: BucketHasher;
let router: Router;

beforeAll(async () => {
  hasher = await BucketHasher.create();
  router = new Router(hasher, () => MAP);
});

describe('the router', () => {
  it('sends a user, the ids of their rows and their bucket to one and the same shard', () => {
    const mint = new IdMint();
    for (const userId of USERS) {
      const route = router.forUser({ tenantId: TENANT, userId });
      expect(route.shardId).toBe(MAP.shardOf({ tenantId: TENANT, bucket: route.bucket }));
      expect(router.forId({ tenantId: TENANT, id: mint.mint(route.bucket) })).toEqual(route);
      expect(router.forBucket({ tenantId: TENANT, bucket: route.bucket })).toEqual(route);
    }
  });

  it('names each shard of several users once', () => {
    const everywhere = router.forUsers({ tenantId: TENANT, userIds: USERS });
    expect([...shardIdsOf(everywhere)].sort()).toEqual(['s0', 's1', 's2']);
    expect(everywhere.kind).toBe('these');
    const { shardId } = router.forUser({ tenantId: TENANT, userId: 'user-1' });
    const once = router.forUsers({ tenantId: TENANT, userIds: ['user-1', 'user-1'] });
    expect(once).toEqual({ kind: 'one', shardId });
  });

  it('has all shards be those that can hold rows of the tenant', () => {
    expect(router.all({ tenantId: TENANT })).toEqual({ kind: 'all', shardIds: ['s0', 's1', 's2'] });
    expect(router.all({ tenantId: DEDICATED })).toEqual({ kind: 'all', shardIds: ['s9'] });
  });

  it('keeps everything of a dedicated tenant on its shard, lookup entries included', () => {
    const routes = [
      router.forUsers({ tenantId: DEDICATED, userIds: USERS }),
      router.forValue({ tenantId: DEDICATED, index: 'account_number', value: '1' }),
      router.forId({ tenantId: DEDICATED, id: new IdMint().mint(5) }),
    ];
    expect(routes.map(shardIdsOf)).toEqual([['s9'], ['s9'], ['s9']]);
  });

  it('finds a lookup entry by tenant, index and value', () => {
    const bucket = hasher.bucketOfValue(TENANT, 'account_number', 'ACC-1');
    const route = router.forValue({ tenantId: TENANT, index: 'account_number', value: 'ACC-1' });
    expect(route).toEqual({ kind: 'one', bucket, shardId: MAP.shardOf({ tenantId: TENANT, bucket }) });
  });

  it('follows the map as it changes', () => {
    let map = ShardMap.initial(['s0']);
    const following = new Router(hasher, () => map);
    map = map.withOverride(TENANT, 's1');
    expect(following.forUser({ tenantId: TENANT, userId: 'alice' }).shardId).toBe('s1');
  });

  it('has no default: what names no shard throws', () => {
    const missing = undefined as unknown as string;
    expect(() => router.forUser({ tenantId: TENANT, userId: '' })).toThrow(ScopeMissingError);
    expect(() => router.forUser({ tenantId: TENANT, userId: missing })).toThrow(ScopeMissingError);
    expect(() => router.forUser({ tenantId: missing, userId: 'alice' })).toThrow(ScopeMissingError);
    expect(() => router.forUsers({ tenantId: TENANT, userIds: [] })).toThrow(ScopeMissingError);
    expect(() => router.all({ tenantId: '' })).toThrow(ScopeMissingError);
    expect(() => router.forBucket({ tenantId: TENANT, bucket: 4096 })).toThrow(ValidationError);
    expect(() => router.forId({ tenantId: TENANT, id: 'nope' })).toThrow(ValidationError);
  });

  it('does not guess before a map is known', () => {
    const early = new Router(hasher, () => {
      throw new CatalogUnavailableError();
    });
    expect(() => early.forUser({ tenantId: TENANT, userId: 'alice' })).toThrow(CatalogUnavailableError);
  });
});
