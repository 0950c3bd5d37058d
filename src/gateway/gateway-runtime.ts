import type { EntityMetadata } from 'typeorm';
import { CatalogUnavailableError, ConfigurationError } from '../common/gateway-error.js';
import { GatewayContext } from '../common/gateway-context.js';
import type { ShardPosition } from '../common/shard-position.js';
import type { Log } from '../common/log.js';
import { settledWithin } from '../common/settled-within.js';
import { ShardedEntity } from '../persistence/sharded-entity.js';
import { shardedOptionsOf } from '../persistence/sharded.js';
import { tableOf } from '../persistence/table-of.js';
import { CatalogDatabase } from '../sharding/connections/catalog-database.js';
import { ADMITTED_CONNECTIONS_SQL, connectionBudget } from '../sharding/connections/connection-budget.js';
import type { DatabaseNode } from '../sharding/connections/database-node.js';
import { NodeDirectory } from '../sharding/connections/node-directory.js';
import { migrateCatalog } from '../sharding/migrations/catalog/migrate-catalog.js';
import { assertInstallation, readInstallation } from '../sharding/migrations/installation.js';
import type { MigrationEvent } from '../sharding/migrations/migration-plan.js';
import { SchemaGate } from '../sharding/migrations/schema-gate.js';
import { BudgetedConnections } from '../sharding/replication/budgeted-connections.js';
import { OwnWrites } from '../sharding/replication/own-writes.js';
import { ShardFloors } from '../sharding/replication/shard-floors.js';
import { PrimaryReadBudget } from '../sharding/replication/primary-read-budget.js';
import { ReplicationMonitor } from '../sharding/replication/replication-monitor.js';
import { TenantConnections } from '../sharding/tenant-roles/tenant-connections.js';
import { TenantCredentials } from '../sharding/tenant-roles/tenant-credentials.js';
import { Router } from '../sharding/routing/router.js';
import { BucketHasher } from '../sharding/topology/bucket.js';
import { IdMint } from '../sharding/topology/id-mint.js';
import { ShardMapStore } from '../sharding/topology/shard-map-store.js';
import { ShardMapWatcher } from '../sharding/topology/shard-map-watcher.js';
import type { KnownTables } from './cache-choice.js';
import { CachedReads } from './cached-reads.js';
import { CatalogStart } from './catalog-start.js';
import { CompiledFinds } from './compiled-finds.js';
import { DataGateway } from './data-gateway.js';
import { GatewayCache } from './gateway-cache.js';
import type { ResolvedGatewayOptions } from './gateway-options.js';
import { gatewayRoleOf } from './gateway-role.js';
import { PrimaryWrites } from './primary-writes.js';
import { ShardAccess } from './shard-access.js';
import { ShardReads } from './shard-reads.js';
import { shardPlanOf, type ShardPlan } from './shard-plan.js';
import { ShardTransactions, type ShardTransactionsOptions } from './shard-transactions.js';
import { Snapshots } from './snapshots.js';
import { StartedCatalog } from './started-catalog.js';
import type { WatchedWrites } from './watched-writes.js';

/** How long the start waits for the catalog and its migrations; a catalog that hangs is given up sooner. */
const CATALOG_PATIENCE_MS = 30_000;

/** How long the start waits for the shards; their migrations go on after it. */
const SHARDS_PATIENCE_MS = 30_000;

/** After this a migration of the catalog counts as hanging, and is begun anew. */
const MIGRATION_PATIENCE_MS = 120_000;

/** Reads that may wait for their turn on one primary. */
const PRIMARY_READS_WAITING_MAX = 1_000;

/** How long statements under way may take to finish when the gateway closes, and the cut of those that do not. */
const CLOSE_TIMEOUT_MS = 5_000;
const CUT_TIMEOUT_MS = 1_000;

/** What the gateway tells of itself while it starts. */
export interface RuntimeHooks {
  readonly log: Log;
  readonly onMigration?: (event: MigrationEvent) => void;
  /** For tests. */
  readonly transactions?: ShardTransactionsOptions;
}

/**
 * A running gateway: everything that lives as long as the process does, made in the order in which one part
 * needs the other. It starts, and serves what it can, whichever servers are away, and is complete when they
 * are back.
 */
export class GatewayRuntime {
  readonly catalog: StartedCatalog;
  readonly shardMaps: ShardMapStore;
  readonly shardMapWatcher: ShardMapWatcher;
  readonly nodes: NodeDirectory;
  readonly monitor: ReplicationMonitor;
  readonly gate: SchemaGate;
  readonly access: ShardAccess;
  readonly router: Router;
  readonly gateway: DataGateway;
  readonly cache: GatewayCache;
  /** Transactions over several shards, and the recovery of those whose coordinator is gone. */
  readonly transactions: ShardTransactions;
  readonly #options: ResolvedGatewayOptions;
  readonly #hooks: RuntimeHooks;
  readonly #database: CatalogDatabase;
  readonly #catalogStart: CatalogStart;
  readonly #plan: { installationId: string } & ShardPlan;
  #closing: Promise<void> | undefined;

  private constructor(
    options: ResolvedGatewayOptions,
    hooks: RuntimeHooks,
    parts: { nodes: NodeDirectory; hasher: BucketHasher },
  ) {
    const { log } = hooks;
    const { nodes, hasher } = parts;
    this.#options = options;
    this.#hooks = hooks;
    this.nodes = nodes;
    this.#database = new CatalogDatabase(options.catalog.url, options.pool, log);
    this.#catalogStart = new CatalogStart((signal) => this.#startWithCatalog(signal), log);
    this.catalog = new StartedCatalog(this.#database, this.#catalogStart);
    this.shardMaps = new ShardMapStore(this.catalog);
    this.shardMapWatcher = new ShardMapWatcher(new ShardMapStore(this.#database), { log });
    this.catalog.onChange('shard_map', () => void this.shardMapWatcher.refresh());
    this.monitor = new ReplicationMonitor(nodes, options.replication, log);
    limitPrimaryReads(nodes, options);
    const isEverywhere = (position: ShardPosition): boolean => this.monitor.isEverywhere(position);
    const floors = new ShardFloors(isEverywhere);
    const ownWrites = new OwnWrites(isEverywhere, floors);
    this.cache = new GatewayCache(options, nodes, this.monitor, log);
    // A replica that has not replayed the migrations yet would fail every read of the new tables.
    const holdToSchema = async (shardId: string): Promise<void> => {
      floors.raise(await this.monitor.currentPosition(shardId));
      await this.cache.learnSchema(shardId);
    };
    // The catalog says which installation this is; the gate is started only then.
    this.#plan = { installationId: '', ...planOf(options, nodes) };
    this.gate = new SchemaGate(gatedShards(options), this.#plan, migrationOptions(hooks), holdToSchema, log);
    const { writes: watched, cache } = this.cache;
    this.transactions = new ShardTransactions(
      options.shards,
      nodes,
      {
        installationId: () => {
          this.#catalogStart.assertDone();
          return this.#plan.installationId;
        },
        onLost: (shardId) => {
          this.monitor.noteFailure(shardId);
        },
        log,
      },
      hooks.transactions,
    );
    const { coordinator, cut } = this.transactions;
    const assertServed = (shardId: string): void => {
      this.#catalogStart.assertDone();
      this.gate.assertServed(shardId);
    };
    const { monitor } = this;
    this.access = new ShardAccess(
      new ShardReads(nodes, { monitor, ownWrites, floors, assertServed }),
      new PrimaryWrites(nodes, { monitor, ownWrites, watched, coordinator, assertServed }),
    );
    watchDataSources(nodes, watched);
    this.router = new Router(hasher, () => {
      this.#catalogStart.assertDone();
      return this.shardMapWatcher.current();
    });
    const reads = new CachedReads(this.access.reads, {
      cache,
      epoch: () => this.shardMapWatcher.current().epoch,
      tables: entityTables(nodes),
    });
    const finds = new CompiledFinds(reads, nodes);
    this.gateway = new DataGateway(this.access, reads, finds, {
      router: this.router,
      ids: new IdMint(),
      snapshots: new Snapshots(this.access.reads, nodes, cut),
    });
  }

  /**
   * Starts a gateway. It waits for the servers for a bounded time only. Those that are away are served when
   * they are back; while the catalog is, calls fail with `catalog_unavailable`.
   *
   * @throws ConfigurationError when options and installation do not fit together, as far as that is found at once
   */
  static async start(options: ResolvedGatewayOptions, hooks: RuntimeHooks): Promise<GatewayRuntime> {
    const hasher = await BucketHasher.create();
    const nodes = await NodeDirectory.create(options.shards, options.pool, options.entities, hooks.log);
    const runtime = new GatewayRuntime(options, hooks, { nodes, hasher });
    try {
      const polling = runtime.monitor.start();
      await runtime.#catalogStart.begin(CATALOG_PATIENCE_MS);
      const serving = runtime.whenStarted.then(() => runtime.#serve());
      if (runtime.isStarted) await settledWithin(Promise.all([serving, polling]), SHARDS_PATIENCE_MS);
      return runtime;
    } catch (error) {
      await runtime.close();
      throw error;
    }
  }

  /** Whether the catalog was there, and all right, at some time since the start: from then on calls are served. */
  get isStarted(): boolean {
    return this.#catalogStart.isDone;
  }

  /** Resolves when {@link isStarted} becomes true. */
  get whenStarted(): Promise<void> {
    return this.#catalogStart.done;
  }

  /** Why {@link isStarted} is not true yet. */
  get notStartedBecause(): string | undefined {
    return this.#catalogStart.reason;
  }

  /**
   * Ends all background work, then closes every connection. Statements under way have 5 s to finish; what
   * hangs then is cut off. May be called twice.
   */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#catalogStart.stop();
    this.gate.stop();
    this.transactions.stop();
    const closed = Promise.all([
      this.cache.stop(),
      this.monitor.stop(),
      this.shardMapWatcher.stop(),
      this.nodes.close(),
      this.#database.close(),
    ]);
    await settledWithin(closed, CLOSE_TIMEOUT_MS);
    // A server that hangs does not answer a goodbye either, and its open sockets would keep the process.
    for (const node of this.nodes.all()) node.cut();
    await settledWithin(closed, CUT_TIMEOUT_MS);
  }

  /** Everything that the catalog is needed for once. It is run again from the beginning after a failure. */
  async #startWithCatalog(signal: AbortSignal): Promise<void> {
    // On connections that can be cut, unlike a migration's: a catalog that hangs is found out here.
    await this.#database.query('SELECT 1');
    await this.#migrateCatalog(signal);
    this.#plan.installationId = await installationOf(this.#database);
    const { shardIds } = this.nodes;
    await new ShardMapStore(this.#database).initialise(shardIds);
    await this.shardMapWatcher.start();
    this.shardMapWatcher.current().assertServedBy(shardIds);
    signal.throwIfAborted();
    this.#logInAsTenants();
  }

  /** The names of the tenants' roles are made of the installation's id. */
  #logInAsTenants(): void {
    const { installationId } = this.#plan;
    const { tenantSize: max, idleTimeoutMs: idleMs, ...pool } = this.#options.pool;
    for (const node of this.nodes.all()) {
      const { shardId } = node;
      const primaryUrl = this.nodes.primary(shardId).url;
      const credentials = new TenantCredentials({ installationId, shardId, primaryUrl });
      const logins = new TenantConnections(
        node,
        credentials,
        node,
        { max, idleMs, ...pool },
        this.#hooks.log,
      );
      node.useTenantLogins(logins);
    }
  }

  async #migrateCatalog(signal: AbortSignal): Promise<void> {
    const { migrateOnStart, catalog } = this.#options;
    if (!migrateOnStart || catalog.adminUrl === undefined) return;
    const target = { adminUrl: catalog.adminUrl, gatewayRole: gatewayRoleOf(catalog.url) };
    const tooLate = AbortSignal.timeout(MIGRATION_PATIENCE_MS);
    const migrated = migrateCatalog(target, {
      ...migrationOptions(this.#hooks),
      signal: AbortSignal.any([signal, tooLate]),
    });
    if (!(await settledWithin(migrated, MIGRATION_PATIENCE_MS))) throw new CatalogUnavailableError();
    await migrated;
  }

  /** What begins when the catalog is there. Never rejects. */
  async #serve(): Promise<void> {
    const { log } = this.#hooks;
    log.info({}, 'the catalog is there');
    await Promise.all([this.#database.listen(), this.gate.start(), this.cache.start()]);
    this.transactions.recovery.start();
    for (const node of this.nodes.all()) void warnOverBudget(node, this.#options, log);
  }
}

/** Reads may take half of a primary's connections; the other half is for writes. */
function limitPrimaryReads(nodes: NodeDirectory, { pool }: ResolvedGatewayOptions): void {
  const concurrency = Math.max(1, Math.floor((pool.size + pool.overflow) / 2));
  const limits = { concurrency, queueMax: PRIMARY_READS_WAITING_MAX, waitMs: pool.acquireTimeoutMs };
  for (const shardId of nodes.shardIds) {
    const budget = new PrimaryReadBudget(limits);
    nodes.primary(shardId).limitReads((source) => new BudgetedConnections(source, budget));
  }
}

/** The entities' tables. Of views nobody knows what is behind them. */
function entityTables(nodes: NodeDirectory): KnownTables {
  const metadatas = nodes.all()[0]?.dataSource.entityMetadatas ?? [];
  return new Map(
    metadatas
      .filter(isShardedTable)
      .map((metadata) => [tableOf(metadata), shardedOptionsOf(Object(metadata.target) as object)?.cache]),
  );
}

function isShardedTable({ tableType, target }: EntityMetadata): boolean {
  return tableType === 'regular' && typeof target === 'function' && target.prototype instanceof ShardedEntity;
}

/** Whoever writes through `@InjectDataSource` has these writes known as well. */
function watchDataSources(nodes: NodeDirectory, writes: WatchedWrites): void {
  for (const shardId of nodes.shardIds) {
    nodes.primary(shardId).dataSource.watchTransactions((tenantId) => {
      const trace = GatewayContext.trace();
      return writes.watch({ shardId, tenantId }, (position) => trace?.noteWrite(position));
    });
  }
}

function migrationOptions({ onMigration }: RuntimeHooks) {
  return onMigration === undefined ? {} : { onEvent: onMigration };
}

/** @throws ConfigurationError when there is no catalog in the database, or something else */
async function installationOf(catalog: CatalogDatabase): Promise<string> {
  const installation = await readInstallation(catalog);
  if (installation === undefined) {
    throw new ConfigurationError('The catalog is empty; run shardgate migrate with catalog.adminUrl first.');
  }
  assertInstallation(installation, { ...installation, shardId: 'catalog' });
  return installation.installationId;
}

/** Every node knows the same entities; the first one is asked. */
function planOf(options: ResolvedGatewayOptions, nodes: NodeDirectory): ShardPlan {
  return shardPlanOf(options, nodes.all()[0]?.dataSource.entityMetadatas ?? []);
}

function gatedShards({ shards, migrateOnStart }: ResolvedGatewayOptions) {
  return shards.map(({ id, primary }) => ({
    shardId: id,
    url: primary.url,
    gatewayRole: gatewayRoleOf(primary.url),
    ...(migrateOnStart && { adminUrl: primary.adminUrl }),
  }));
}

/** A warning only: the budget is about the worst moment, and other processes may be idle. */
async function warnOverBudget(node: DatabaseNode, options: ResolvedGatewayOptions, log: Log): Promise<void> {
  try {
    const [row] = await node.query<{ admitted: number }>(ADMITTED_CONNECTIONS_SQL);
    const budget = connectionBudget(node.id, options.pool, row?.admitted ?? 0);
    if (budget.needed > budget.admitted) {
      log.warn(budget, 'the pools may need more connections than the server admits; lower pool.size');
    }
  } catch {
    // A node that is away is reported by the monitor.
  }
}
