import { ConfigurationError } from '../common/gateway-error.js';
import type { Log } from '../common/log.js';
import { CatalogDatabase } from '../sharding/connections/catalog-database.js';
import { ADMITTED_CONNECTIONS_SQL, connectionBudget } from '../sharding/connections/connection-budget.js';
import type { DatabaseNode } from '../sharding/connections/database-node.js';
import { NodeDirectory } from '../sharding/connections/node-directory.js';
import { migrateCatalog } from '../sharding/migrations/catalog/migrate-catalog.js';
import type { MigrationEvent } from '../sharding/migrations/migration-plan.js';
import { SchemaGate } from '../sharding/migrations/schema-gate.js';
import { OwnWrites } from '../sharding/replication/own-writes.js';
import { ReplicationMonitor } from '../sharding/replication/replication-monitor.js';
import { Router } from '../sharding/routing/router.js';
import { BucketHasher } from '../sharding/topology/bucket.js';
import { IdMint } from '../sharding/topology/id-mint.js';
import { ShardMapStore } from '../sharding/topology/shard-map-store.js';
import { ShardMapWatcher } from '../sharding/topology/shard-map-watcher.js';
import { DataGateway } from './data-gateway.js';
import type { ResolvedGatewayOptions } from './gateway-options.js';
import { gatewayRoleOf } from './gateway-role.js';
import { ShardAccess } from './shard-access.js';
import { shardPlanOf, type ShardPlan } from './shard-plan.js';

const INSTALLATION_SQL = `SELECT installation_id AS "installationId" FROM shardgate.installation`;

/** What the gateway tells of itself while it starts. */
export interface RuntimeHooks {
  readonly log: Log;
  readonly onMigration?: (event: MigrationEvent) => void;
}

/**
 * A running gateway: everything that lives as long as the process does, made in the order in which one part
 * needs the other, and closed in the opposite one.
 */
export class GatewayRuntime {
  readonly catalog: CatalogDatabase;
  readonly shardMaps: ShardMapStore;
  readonly shardMapWatcher: ShardMapWatcher;
  readonly nodes: NodeDirectory;
  readonly monitor: ReplicationMonitor;
  readonly gate: SchemaGate;
  readonly access: ShardAccess;
  readonly router: Router;
  readonly gateway: DataGateway;

  private constructor(parts: {
    catalog: CatalogDatabase;
    shardMaps: ShardMapStore;
    shardMapWatcher: ShardMapWatcher;
    nodes: NodeDirectory;
    monitor: ReplicationMonitor;
    ownWrites: OwnWrites;
    gate: SchemaGate;
    hasher: BucketHasher;
  }) {
    this.catalog = parts.catalog;
    this.shardMaps = parts.shardMaps;
    this.shardMapWatcher = parts.shardMapWatcher;
    this.nodes = parts.nodes;
    this.monitor = parts.monitor;
    this.gate = parts.gate;
    this.access = new ShardAccess(this.nodes, this.monitor, parts.ownWrites, (shardId) => {
      this.gate.assertServed(shardId);
    });
    this.router = new Router(parts.hasher, () => this.shardMapWatcher.current());
    this.gateway = new DataGateway(this.access, this.router, new IdMint());
  }

  /**
   * Starts a gateway. The catalog must answer; shards and replicas that do not are served when they are
   * back.
   *
   * @throws CatalogUnavailableError when the catalog does not answer
   * @throws ConfigurationError when options and installation do not fit together
   */
  static async start(options: ResolvedGatewayOptions, hooks: RuntimeHooks): Promise<GatewayRuntime> {
    const { log } = hooks;
    const hasher = await BucketHasher.create();
    if (options.migrateOnStart && options.catalog.adminUrl !== undefined) {
      const target = { adminUrl: options.catalog.adminUrl, gatewayRole: gatewayRoleOf(options.catalog.url) };
      await migrateCatalog(target, migrationOptions(hooks));
    }
    const catalog = new CatalogDatabase(options.catalog.url, options.pool, log);
    const shardMaps = new ShardMapStore(catalog);
    const shardMapWatcher = new ShardMapWatcher(shardMaps, { log });
    const nodes = await NodeDirectory.create(options.shards, options.pool, options.entities, log);
    try {
      const installationId = await installationOf(catalog);
      await shardMaps.initialise(nodes.shardIds);
      await shardMapWatcher.start();
      shardMapWatcher.current().assertServedBy(nodes.shardIds);
      catalog.onChange('shard_map', () => void shardMapWatcher.refresh());
      await catalog.listen();
      const plan = { installationId, ...planOf(options, nodes) };
      const monitor = new ReplicationMonitor(nodes, options.replication.pollMs, log);
      const ownWrites = new OwnWrites((position) => monitor.isEverywhere(position));
      // A replica that has not replayed the migrations yet would fail every read of the new tables.
      const holdToSchema = async (shardId: string): Promise<void> => {
        ownWrites.raiseFloor(await monitor.currentPosition(shardId));
      };
      const gate = new SchemaGate(gatedShards(options), plan, migrationOptions(hooks), holdToSchema, log);
      await gate.start();
      await monitor.start();
      for (const node of nodes.all()) void warnOverBudget(node, options, log);
      return new GatewayRuntime({
        catalog,
        shardMaps,
        shardMapWatcher,
        nodes,
        monitor,
        ownWrites,
        gate,
        hasher,
      });
    } catch (error) {
      await shardMapWatcher.stop();
      await nodes.close();
      await catalog.close();
      throw error;
    }
  }

  /** Ends all background work, then closes every connection, waiting for statements under way. */
  async close(): Promise<void> {
    this.gate.stop();
    this.monitor.stop();
    await this.shardMapWatcher.stop();
    await this.nodes.close();
    await this.catalog.close();
  }
}

function migrationOptions({ onMigration }: RuntimeHooks) {
  return onMigration === undefined ? {} : { onEvent: onMigration };
}

async function installationOf(catalog: CatalogDatabase): Promise<string> {
  const [row] = await catalog.query<{ installationId: string }>(INSTALLATION_SQL);
  if (row === undefined) {
    throw new ConfigurationError('The catalog is empty; run shardgate migrate with catalog.adminUrl first.');
  }
  return row.installationId;
}

/** Every node knows the same entities; the first one is asked. */
function planOf({ migrations }: ResolvedGatewayOptions, nodes: NodeDirectory): ShardPlan {
  return shardPlanOf(migrations, nodes.all()[0]?.dataSource.entityMetadatas ?? []);
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
