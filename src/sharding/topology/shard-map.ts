import { ConfigurationError } from '../../common/gateway-error.js';
import { SHARD_ID_PATTERN, TENANT_ID_PATTERN } from '../../common/identifiers.js';
import { BUCKET_COUNT, noSuchBucket } from './bucket.js';
import { shardMapRecordSchema, type ShardMapRecord } from './shard-map-record.js';

const FIRST_EPOCH = 1;

/**
 * Which shard holds what: every bucket on one shard, and dedicated tenants with all their buckets on a shard
 * of their own choice. Immutable; a change makes a new map of the next epoch.
 */
export class ShardMap {
  /** Counts the changes of the map; of two maps the one with the higher epoch is true. */
  readonly epoch: number;
  /** The shards that hold buckets, which is where the rows of pooled tenants are. */
  readonly pooledShardIds: readonly string[];
  /** Every shard that the map names, those of dedicated tenants included. */
  readonly shardIds: readonly string[];

  readonly #shardOfBucket: readonly string[];
  readonly #overrides: ReadonlyMap<string, string>;

  private constructor(
    epoch: number,
    shardOfBucket: readonly string[],
    overrides: ReadonlyMap<string, string>,
  ) {
    this.epoch = epoch;
    this.#shardOfBucket = shardOfBucket;
    this.#overrides = overrides;
    this.pooledShardIds = Object.freeze([...new Set(shardOfBucket)]);
    this.shardIds = Object.freeze([...new Set([...this.pooledShardIds, ...overrides.values()])]);
  }

  /**
   * The first map of a new system: each shard gets one run of buckets, and no shard more than one bucket
   * more than another.
   *
   * @throws ConfigurationError when there are no shards, too many, two of one id, or a malformed id
   */
  static initial(shardIds: readonly string[]): ShardMap {
    if (shardIds.length === 0 || shardIds.length > BUCKET_COUNT) {
      throw new ConfigurationError(`shards: configure 1 to ${BUCKET_COUNT} shards.`);
    }
    if (new Set(shardIds).size < shardIds.length) {
      throw new ConfigurationError('shards: two shards have the same id; give each its own.');
    }
    shardIds.forEach(assertShardId);
    const shardOfBucket = shardIds.flatMap((shardId, index) => {
      const first = Math.floor((index * BUCKET_COUNT) / shardIds.length);
      const next = Math.floor(((index + 1) * BUCKET_COUNT) / shardIds.length);
      return Array.from({ length: next - first }, () => shardId);
    });
    return new ShardMap(FIRST_EPOCH, shardOfBucket, new Map());
  }

  /**
   * Reads a map as {@link ShardMap.toRecord} wrote it.
   *
   * @throws ConfigurationError when it is malformed, or leaves a bucket without a shard or with two
   */
  static fromRecord(record: unknown): ShardMap {
    const parsed = shardMapRecordSchema.safeParse(record);
    if (!parsed.success) {
      throw new ConfigurationError(
        'The shard map in the catalog cannot be read: it is damaged, or a newer release wrote it. ' +
          'Run the release that wrote it, or restore the table shardgate.shard_map.',
        parsed.error,
      );
    }
    const { epoch, ranges, overrides } = parsed.data;
    const shardOfBucket: string[] = [];
    for (const [first, last, shardId] of ranges) {
      if (first !== shardOfBucket.length || last < first) throw notEveryBucketOnce();
      for (let bucket = first; bucket <= last; bucket += 1) shardOfBucket.push(shardId);
    }
    if (shardOfBucket.length !== BUCKET_COUNT) throw notEveryBucketOnce();
    return new ShardMap(epoch, shardOfBucket, new Map(Object.entries(overrides)));
  }

  /**
   * The shard that holds this tenant's rows of this bucket: the tenant's own shard when it is dedicated, the
   * bucket's otherwise.
   *
   * @throws ValidationError when there is no such bucket
   */
  shardOf({ tenantId, bucket }: { readonly tenantId: string; readonly bucket: number }): string {
    const shardId = this.#shardOfBucket[bucket];
    if (shardId === undefined) throw noSuchBucket();
    return this.#overrides.get(tenantId) ?? shardId;
  }

  /** The one shard of a dedicated tenant; undefined when the tenant is pooled. */
  shardOfTenant(tenantId: string): string | undefined {
    return this.#overrides.get(tenantId);
  }

  /** The buckets that pooled tenants have on this shard, ascending; none for a shard the map does not know. */
  bucketsOf(shardId: string): readonly number[] {
    return this.#shardOfBucket.flatMap((owner, bucket) => (owner === shardId ? [bucket] : []));
  }

  /**
   * The map of the next epoch in which a tenant lives on one shard; this very map when it does already.
   *
   * @throws ConfigurationError when an id is malformed, or the tenant is dedicated to another shard: routing
   *   it elsewhere would lose sight of its rows
   */
  withOverride(tenantId: string, shardId: string): ShardMap {
    if (!TENANT_ID_PATTERN.test(tenantId)) {
      throw new ConfigurationError('A tenant id is a slug of lower-case letters, digits and hyphens.');
    }
    assertShardId(shardId);
    const current = this.#overrides.get(tenantId);
    if (current === shardId) return this;
    if (current !== undefined) {
      throw new ConfigurationError(
        `Tenant ${tenantId} is on shard ${current}, and its placement is fixed; leave it there.`,
      );
    }
    return new ShardMap(
      this.epoch + 1,
      this.#shardOfBucket,
      new Map([...this.#overrides, [tenantId, shardId]]),
    );
  }

  /**
   * Passes when every shard of the map is among the configured ones.
   *
   * @throws ConfigurationError naming those that are not: their rows would be out of reach
   */
  assertServedBy(configuredShardIds: Iterable<string>): void {
    const configured = new Set(configuredShardIds);
    const missing = this.shardIds.filter((shardId) => !configured.has(shardId));
    if (missing.length > 0) {
      throw new ConfigurationError(
        `shards: the catalog's shard map places data on ${missing.join(', ')}, which the configuration ` +
          'lacks; add it to shards, or connect to the catalog that belongs to this configuration.',
      );
    }
  }

  /** The map as compact JSON: one entry per run of buckets. */
  toRecord(): ShardMapRecord {
    const ranges: ShardMapRecord['ranges'] = [];
    this.#shardOfBucket.forEach((shardId, bucket) => {
      const open = ranges.at(-1);
      if (open?.[2] === shardId) open[1] = bucket;
      else ranges.push([bucket, bucket, shardId]);
    });
    return { format: 1, epoch: this.epoch, ranges, overrides: Object.fromEntries(this.#overrides) };
  }
}

function assertShardId(shardId: string): void {
  if (!SHARD_ID_PATTERN.test(shardId)) {
    throw new ConfigurationError(
      'shards: an id is a lower-case letter and then up to 30 lower-case letters, digits or underscores.',
    );
  }
}

function notEveryBucketOnce(): ConfigurationError {
  return new ConfigurationError(
    `The shard map in the catalog does not place each of the ${BUCKET_COUNT} buckets once; restore the ` +
      'table shardgate.shard_map.',
  );
}
