import type { MigrationInterface } from 'typeorm';
import type { GatewayError } from '../../common/gateway-error.js';

/** A TypeORM migration class; its name ends in a JavaScript timestamp, as TypeORM asks. */
export type MigrationClass = new () => MigrationInterface;

/** A right over rows that the gateway's login may have on a table. */
export type TablePrivilege = 'SELECT' | 'INSERT' | 'UPDATE' | 'DELETE';

/** A table whose rows belong to tenants and live in buckets. */
export interface ProtectedTable {
  readonly schema: string;
  readonly table: string;
  /** The columns by which logical replication tells rows apart when a bucket moves; `bucket` and `id` by default. */
  readonly identity?: readonly string[];
  /** What the gateway's login may do; all four by default. Everything else is taken from it. */
  readonly grants?: readonly TablePrivilege[];
  /** Whether callers' own SQL, on the logins of tenants, has the same rights there; true by default. */
  readonly rawSql?: boolean;
}

/** One shard's primary, as migrations see it. */
export interface MigrationTarget {
  readonly shardId: string;
  /** A login that owns the schema; it goes straight to the server, past any transaction-pooling proxy. */
  readonly adminUrl: string;
  /** The user name of the gateway's own url. */
  readonly gatewayRole: string;
}

/** What every shard must look like. */
export interface MigrationPlan {
  /** Minted once by the catalog; a shard that belongs to another installation is refused. */
  readonly installationId: string;
  /** In the order in which they are applied: the system's, the modules', the user's. */
  readonly migrations: readonly MigrationClass[];
  /** Every table of a sharded entity, and the system's own. */
  readonly protectedTables: readonly ProtectedTable[];
  /**
   * Whether caches follow the write-ahead log: the entities' tables are published for them. What is published
   * already is kept in line with the tables in any case.
   */
  readonly isFollowed: boolean;
}

/** What one shard's run is doing, as it does it. */
export type MigrationEvent = { readonly shardId: string } & (
  | { readonly type: 'waiting-for-lock' }
  | { readonly type: 'applying'; readonly name: string; readonly index: number; readonly total: number }
  | { readonly type: 'applied'; readonly name: string; readonly index: number; readonly total: number }
  | { readonly type: 'up-to-date' }
  | { readonly type: 'failed'; readonly error: GatewayError }
);

/** How a run behaves. */
export interface MigrationOptions {
  /** Hears of progress; `index` counts from 1 to `total`. */
  readonly onEvent?: (event: MigrationEvent) => void;
  /** How many shards are migrated at a time; 4 by default. */
  readonly concurrency?: number;
  /** How long to wait for another process that migrates the same shard; ten minutes by default. */
  readonly lockTimeoutMs?: number;
  /** Ends the run between two migrations, or while it waits for the lock. */
  readonly signal?: AbortSignal;
}

/** How one shard's run ended. What was applied stays applied, also when `error` is there. */
export interface ShardMigrationReport {
  readonly shardId: string;
  /** The names of the migrations that this run applied, in order. */
  readonly applied: readonly string[];
  readonly error?: GatewayError;
}
