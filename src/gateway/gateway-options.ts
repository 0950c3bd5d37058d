import { z } from 'zod';
import { ConfigurationError } from '../common/gateway-error.js';
import { SHARD_ID_PATTERN } from '../common/identifiers.js';
import { ShardedEntity } from '../persistence/sharded-entity.js';
import { shardedOptionsOf, type ShardedOptions } from '../persistence/sharded.js';
import type { EntityClass } from '../sharding/connections/node-data-source.js';
import { REPLICATION_DEFAULTS } from '../sharding/replication/replication-options.js';
import type { MigrationClass } from '../sharding/migrations/migration-plan.js';

const url = z
  .string()
  .regex(/^postgres(ql)?:\/\//, 'must be a postgresql:// URL; TLS is asked for with ?sslmode=verify-full')
  .describe('postgresql://user:password@host:port/database');
const milliseconds = z.number().int().positive();

const primary = z.strictObject({
  /** The gateway's own login: no superuser, no BYPASSRLS, owner of nothing. */
  url,
  /** A login that owns the schema, for migrations, `doctor` and imports only. */
  adminUrl: url.optional(),
});

const shardPrimary = primary.extend({
  /** A login with the right REPLICATION, past any pooler; for `cache.strict` only. It could read everything. */
  replicationUrl: url.optional(),
});

const replica = z.strictObject({
  /** Default: `<shard>.r<n>`. */
  id: z.string().min(1).optional(),
  url,
});

const shard = z.strictObject({
  id: z.string().regex(SHARD_ID_PATTERN, 'must be short: a letter, then letters, digits or _'),
  primary: shardPrimary,
  replicas: z.array(replica).readonly().default([]),
});

const pool = z.strictObject({
  size: z.number().int().min(1).default(10),
  overflow: z.number().int().min(0).default(5),
  tenantSize: z.number().int().min(1).default(10),
  acquireTimeoutMs: milliseconds.default(30_000),
  connectTimeoutMs: milliseconds.default(5_000),
  recycleMs: milliseconds.default(3_600_000),
  idleTimeoutMs: milliseconds.default(10_000),
  statementTimeoutMs: milliseconds.default(30_000),
  processes: z.number().int().min(1).default(1),
});

const replication = z.strictObject({
  /** How often every node is asked how far it has come. Default 100. */
  pollMs: milliseconds.default(REPLICATION_DEFAULTS.pollMs),
  /** How long a node may take to answer that before it counts as hanging. Default 2,000. */
  unresponsiveMs: milliseconds.default(REPLICATION_DEFAULTS.unresponsiveMs),
  /** A replica that lags further behind in time is left out. Default 60,000. */
  maxLagMs: milliseconds.default(REPLICATION_DEFAULTS.maxLagMs),
  /** A replica that lags more bytes of write-ahead log behind is left out. Default 8 MiB. */
  maxLagBytes: z.number().int().positive().default(REPLICATION_DEFAULTS.maxLagBytes),
  /** Reads in a row that must fail under a replica to open its circuit breaker. Default 3. */
  failuresToOpen: z.number().int().positive().default(REPLICATION_DEFAULTS.failuresToOpen),
});

const cache = z.strictObject({
  /** Heap that kept answers may take, about, bytes. Default 64 MiB. */
  maxBytes: z
    .number()
    .int()
    .positive()
    .default(64 * 1024 * 1024),
  /** How old an answer may become, ms: so long can a write that no gateway made stay unseen. Default 30,000. */
  ttlMs: milliseconds.default(30_000),
  /** The part of `maxBytes` that one tenant may take, for tenants without a quota of their own. Default 0.5. */
  tenantShare: z.number().gt(0).max(1).default(0.5),
  /**
   * Follows each primary's write-ahead log, so that writes of other programs are seen at once, not within
   * `ttlMs`. Every shard needs a `primary.replicationUrl`, and `wal_level = logical`. Default false.
   */
  strict: z.boolean().default(false),
});

const entityCache = z.union([z.boolean(), z.strictObject({ ttlMs: z.number().nonnegative() })]).optional();

const serverOptions = z.strictObject({
  catalog: primary,
  shards: z.array(shard).min(1, 'name at least one shard').readonly(),
  pool: pool.prefault({}),
  replication: replication.prefault({}),
  /** The query-result cache of this process; false for none. */
  cache: z.union([z.literal(false), cache]).prefault({}),
  /** Whether pending migrations are applied at start, to servers that have an `adminUrl`. Default true. */
  migrateOnStart: z.boolean().default(true),
});

/** The part of the options that a configuration file can hold. */
export type GatewayServerOptions = z.input<typeof serverOptions>;

/** Everything that `DataGatewayModule.forRoot` takes. */
export interface GatewayOptions extends GatewayServerOptions {
  /** Classes declared with `@Sharded()` that extend `ShardedEntity`. */
  readonly entities?: readonly EntityClass[];
  /** TypeORM migrations that make the entities' tables, in order; run on every shard. */
  readonly migrations?: readonly MigrationClass[];
}

/** The options with every default filled in. */
export type ResolvedGatewayOptions = z.output<typeof serverOptions> & {
  readonly entities: readonly EntityClass[];
  readonly migrations: readonly MigrationClass[];
};

/** Whether the cache sees the writes of other programs at once. */
export function isStrict(cache: ResolvedGatewayOptions['cache']): boolean {
  return cache !== false && cache.strict;
}

/**
 * Checks options and fills in defaults. Unknown keys are refused: a misspelt option would be silently
 * ignored otherwise.
 *
 * @throws ConfigurationError that names every option at fault
 */
export function resolveGatewayOptions(options: GatewayOptions): ResolvedGatewayOptions {
  const { entities = [], migrations = [], ...rest } = options;
  const parsed = serverOptions.safeParse(rest);
  if (!parsed.success) {
    const faults = parsed.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
    throw new ConfigurationError(`The gateway's options are not usable. ${faults.join('; ')}.`);
  }
  assertDistinct(parsed.data.shards.map(({ id }) => id));
  assertFollowable(parsed.data);
  for (const entity of entities) assertSharded(entity);
  return { ...parsed.data, entities, migrations };
}

function assertDistinct(shardIds: readonly string[]): void {
  const twice = shardIds.find((id, index) => shardIds.indexOf(id) !== index);
  if (twice !== undefined) {
    throw new ConfigurationError(`shards: ${twice} is there twice; give each shard an id of its own.`);
  }
}

function assertFollowable({ cache, shards }: z.output<typeof serverOptions>): void {
  if (!isStrict(cache)) return;
  const lacking = shards.find(({ primary: { replicationUrl } }) => replicationUrl === undefined);
  if (lacking !== undefined) {
    throw new ConfigurationError(
      `cache.strict: shard ${lacking.id} has no primary.replicationUrl; give the url of a login that has the ` +
        'right REPLICATION there, and is no tenant’s.',
    );
  }
}

function assertSharded(entity: EntityClass): void {
  if (typeof entity !== 'function') return;
  const options = shardedOptionsOf(entity);
  if (options !== undefined && entity.prototype instanceof ShardedEntity) {
    assertCacheOption(entity.name, options);
    return;
  }
  throw new ConfigurationError(
    `entities: ${entity.name} is not sharded; declare it with @Sharded() and let it extend ShardedEntity.`,
  );
}

function assertCacheOption(name: string, { cache }: ShardedOptions): void {
  const parsed = entityCache.safeParse(cache);
  if (parsed.success) return;
  throw new ConfigurationError(
    `entities: the cache option of ${name} must be true, false or { ttlMs } in milliseconds.`,
  );
}
