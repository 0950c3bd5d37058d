import { ScopeMissingError } from '../../common/gateway-error.js';
import type { BucketHasher } from '../topology/bucket.js';
import { bucketOfId } from '../topology/gateway-id.js';
import type { ShardMap } from '../topology/shard-map.js';
import type { AllShardsRoute, OneShardRoute, TheseShardsRoute } from './route.js';

/** A route to the shard of one bucket. */
export type BucketRoute = OneShardRoute & { readonly bucket: number };

/**
 * Turns what a call says about its rows into a route, under the newest shard map. What names no shard
 * throws: there is no default shard.
 */
export class Router {
  readonly #hasher: BucketHasher;
  readonly #map: () => ShardMap;

  /** @param map gives the newest shard map known; asked anew for every route */
  constructor(hasher: BucketHasher, map: () => ShardMap) {
    this.#hasher = hasher;
    this.#map = map;
  }

  /** Where one user's rows are. @throws ScopeMissingError without a tenant or user */
  forUser({ tenantId, userId }: { readonly tenantId: string; readonly userId: string }): BucketRoute {
    assertNamed(tenantId, 'tenant');
    assertNamed(userId, 'user');
    return this.forBucket({ tenantId, bucket: this.#hasher.bucketOf(tenantId, userId) });
  }

  /** Where several users' rows are: each shard once. @throws ScopeMissingError when nobody is named */
  forUsers({
    tenantId,
    userIds,
  }: {
    readonly tenantId: string;
    readonly userIds: readonly string[];
  }): OneShardRoute | TheseShardsRoute {
    const shardIds = [...new Set(userIds.map((userId) => this.forUser({ tenantId, userId }).shardId))];
    const [shardId] = shardIds;
    if (shardId === undefined) {
      throw new ScopeMissingError('The call names no user; name at least one, or ask all shards.');
    }
    return shardIds.length === 1 ? { kind: 'one', shardId } : { kind: 'these', shardIds };
  }

  /** Where the row of this id is, found from the id alone. @throws ValidationError when it carries no bucket */
  forId({ tenantId, id }: { readonly tenantId: string; readonly id: string }): BucketRoute {
    return this.forBucket({ tenantId, bucket: bucketOfId(id) });
  }

  /** Where a tenant's rows of this bucket are. @throws ValidationError when there is no such bucket */
  forBucket({ tenantId, bucket }: { readonly tenantId: string; readonly bucket: number }): BucketRoute {
    assertNamed(tenantId, 'tenant');
    return { kind: 'one', shardId: this.#map().shardOf({ tenantId, bucket }), bucket };
  }

  /** Where the lookup entry of a value is that must be unique within the tenant. */
  forValue({
    tenantId,
    index,
    value,
  }: {
    readonly tenantId: string;
    /** Name of the lookup index, such as `account_number`. */
    readonly index: string;
    readonly value: string;
  }): BucketRoute {
    return this.forBucket({ tenantId, bucket: this.#hasher.bucketOfValue(tenantId, index, value) });
  }

  /** Every shard that can hold rows of this tenant: its own one when it is dedicated. */
  all({ tenantId }: { readonly tenantId: string }): AllShardsRoute {
    assertNamed(tenantId, 'tenant');
    const map = this.#map();
    const own = map.shardOfTenant(tenantId);
    return { kind: 'all', shardIds: own === undefined ? map.pooledShardIds : [own] };
  }
}

// Types do not hold for callers in plain JavaScript, and hashing `undefined` would give a bucket.
function assertNamed(id: unknown, what: 'tenant' | 'user'): void {
  if (typeof id !== 'string' || id === '') {
    throw new ScopeMissingError(`The call names no ${what}, so no shard can be chosen; name one.`);
  }
}
