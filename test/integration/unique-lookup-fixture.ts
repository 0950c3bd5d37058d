import { randomBytes, randomUUID } from 'node:crypto';
import pg from 'pg';
import type { EntityManager, MigrationInterface, QueryRunner } from 'typeorm';
import { SILENT_LOG } from '../../src/common/log.js';
import { PrimaryWrites } from '../../src/gateway/primary-writes.js';
import { ShardAccess } from '../../src/gateway/shard-access.js';
import { ShardReads } from '../../src/gateway/shard-reads.js';
import { WatchedWrites } from '../../src/gateway/watched-writes.js';
import { NodeDirectory, type ShardAddress } from '../../src/sharding/connections/node-directory.js';
import { migrateShards } from '../../src/sharding/migrations/migrator.js';
import { SYSTEM_MIGRATIONS } from '../../src/sharding/migrations/system/system-migrations.js';
import { SYSTEM_TABLES } from '../../src/sharding/migrations/system/system-tables.js';
import { CommitCoordinator } from '../../src/sharding/transactions/commit-coordinator.js';
import { OwnWrites } from '../../src/sharding/replication/own-writes.js';
import { REPLICATION_DEFAULTS } from '../../src/sharding/replication/replication-options.js';
import { ShardFloors } from '../../src/sharding/replication/shard-floors.js';
import type { ShardPosition } from '../../src/common/shard-position.js';
import { ReplicationMonitor } from '../../src/sharding/replication/replication-monitor.js';
import { Router } from '../../src/sharding/routing/router.js';
import { BucketHasher } from '../../src/sharding/topology/bucket.js';
import { IdMint } from '../../src/sharding/topology/id-mint.js';
import { ShardMap } from '../../src/sharding/topology/shard-map.js';
import { eventually } from '../support/eventually.js';
import { sharedCluster } from '../support/cluster.js';
import { LOOKUP_INDEX, TestProcess, type ProcessOptions } from './unique-lookup-process.js';

/** No unique constraint on the value, so that nothing but the lookup keeps it unique, even on one shard. */
class CreateLookupTestRows1763800000999 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('create schema lookup_test');
    await queryRunner.query(`
      create table lookup_test.rows (
        tenant_id text not null, id uuid not null, user_id text not null, bucket smallint not null,
        value text not null, primary key (tenant_id, id)
      )`);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('drop schema lookup_test cascade');
  }
}

const INSERT_ROW_SQL = `
  INSERT INTO lookup_test.rows (tenant_id, id, user_id, bucket, value) VALUES ($1, $2, $3, $4, $5)`;

const POOL = {
  size: 12,
  overflow: 4,
  tenantSize: 2,
  acquireTimeoutMs: 10_000,
  connectTimeoutMs: 5_000,
  recycleMs: 3_600_000,
  idleTimeoutMs: 10_000,
  statementTimeoutMs: 10_000,
  processes: 1,
};

/** A row to insert. */
export interface NewRow {
  readonly tenantId: string;
  readonly rowId: string;
  readonly userId: string;
  readonly bucket: number;
  readonly value: string;
}

/** An entry as it is stored. */
export interface StoredEntry {
  readonly value: string;
  readonly rowId: string;
  readonly state: string;
}

/** Two shards with databases of their own on the shared cluster, and what is needed to look into them. */
export class LookupWorld {
  readonly access: ShardAccess;
  readonly router: Router;
  readonly mint = new IdMint();
  readonly #nodes: NodeDirectory;
  readonly #monitor: ReplicationMonitor;
  readonly #admins: readonly pg.Client[];
  #users = 0;

  private constructor(nodes: NodeDirectory, router: Router, admins: readonly pg.Client[]) {
    this.#nodes = nodes;
    this.router = router;
    this.#admins = admins;
    this.#monitor = new ReplicationMonitor(nodes, { ...REPLICATION_DEFAULTS, pollMs: 50 }, SILENT_LOG);
    const isEverywhere = (position: ShardPosition): boolean => this.#monitor.isEverywhere(position);
    const floors = new ShardFloors(isEverywhere);
    const ownWrites = new OwnWrites(isEverywhere, floors);
    // No cache, and nobody to tell.
    const watched = new WatchedWrites(undefined, {
      writer: 'lookup',
      referencing: () => [],
      hasSideEffects: () => false,
      noticesWithin: () => [],
      announce: () => undefined,
      findOut: () => undefined,
    });
    const coordinator = new CommitCoordinator({
      primary: (shardId) => nodes.primary(shardId),
      installationId: randomUUID,
      onLost: () => undefined,
      log: SILENT_LOG,
    });
    const parts = { monitor: this.#monitor, ownWrites, assertServed: () => undefined };
    this.access = new ShardAccess(
      new ShardReads(nodes, { ...parts, floors }),
      new PrimaryWrites(nodes, { ...parts, watched, coordinator }),
    );
  }

  static async create(): Promise<LookupWorld> {
    const { shards } = sharedCluster();
    const database = `lookup_${randomBytes(6).toString('hex')}`;
    const targets = [];
    const admins: pg.Client[] = [];
    for (const { id, primary } of shards) {
      await asAdmin(primary.adminUrl, (client) => client.query(`CREATE DATABASE ${database}`));
      const adminUrl = onDatabase(primary.adminUrl, database);
      targets.push({ shardId: id, adminUrl, gatewayRole: new URL(primary.url).username });
      admins.push(new pg.Client({ connectionString: adminUrl }));
    }
    const reports = await migrateShards(targets, {
      installationId: randomUUID(),
      migrations: [...SYSTEM_MIGRATIONS, CreateLookupTestRows1763800000999],
      protectedTables: [...SYSTEM_TABLES, { schema: 'lookup_test', table: 'rows' }],
      isFollowed: false,
    });
    for (const { error } of reports) if (error !== undefined) throw error;
    await Promise.all(admins.map((client) => client.connect()));
    const addresses: ShardAddress[] = shards.map(({ id, primary, replicas }) => ({
      id,
      primary: { url: onDatabase(primary.url, database) },
      replicas: replicas.map((replica) => ({ id: replica.id, url: onDatabase(replica.url, database) })),
    }));
    const nodes = await NodeDirectory.create(addresses, POOL, [], SILENT_LOG);
    const hasher = await BucketHasher.create();
    const map = ShardMap.initial(shards.map(({ id }) => id));
    const world = new LookupWorld(nodes, new Router(hasher, () => map), admins);
    await world.#monitor.start();
    return world;
  }

  /** Inserts a row in a transaction on its home shard. */
  async insertRow(manager: EntityManager, row: NewRow): Promise<void> {
    const { tenantId, rowId, userId, bucket, value } = row;
    await manager.query(INSERT_ROW_SQL, [tenantId, rowId, userId, bucket, value]);
  }

  process(options: ProcessOptions = {}): TestProcess {
    return new TestProcess(this, options);
  }

  /** A tenant of this test alone. */
  newTenant(): string {
    return `t-${randomBytes(6).toString('hex')}`;
  }

  /** A user that was not asked for before, on this shard. */
  newUserOn(shardId: string, tenantId: string): string {
    for (;;) {
      this.#users += 1;
      const userId = `user-${this.#users}`;
      if (this.router.forUser({ tenantId, userId }).shardId === shardId) return userId;
    }
  }

  /** A value whose entry is on this shard. */
  newValueOn(shardId: string, tenantId: string): string {
    for (;;) {
      const value = randomBytes(8).toString('hex');
      if (this.shardOfValue(tenantId, value) === shardId) return value;
    }
  }

  shardOfValue(tenantId: string, value: string): string {
    return this.router.forValue({ tenantId, index: LOOKUP_INDEX, value }).shardId;
  }

  /** Every row of a tenant, past the gateway, on all shards. */
  rows(tenantId: string): Promise<{ id: string; value: string }[]> {
    return this.#everywhere('SELECT id, value FROM lookup_test.rows WHERE tenant_id = $1', tenantId);
  }

  /** Every entry of a tenant, past the gateway, on all shards. */
  entries(tenantId: string): Promise<StoredEntry[]> {
    return this.#everywhere(
      'SELECT value, row_id AS "rowId", state FROM shardgate.lookup_entries WHERE tenant_id = $1',
      tenantId,
    );
  }

  /** Resolves when every replica has replayed what its primary has written. */
  async untilReplicasCaughtUp(): Promise<void> {
    const shardIds = this.#nodes.shardIds;
    const written = await Promise.all(shardIds.map((shardId) => this.#monitor.currentPosition(shardId)));
    await eventually('every replica has replayed it', () =>
      written.every((position) => this.#monitor.isEverywhere(position)),
    );
  }

  async close(): Promise<void> {
    await this.#monitor.stop();
    await this.#nodes.close();
    for (const admin of this.#admins) {
      const { database } = admin;
      await admin.end();
      const { shards } = sharedCluster();
      const shard = shards.find(({ primary }) => new URL(primary.adminUrl).port === String(admin.port));
      if (shard === undefined || database === undefined) continue;
      await asAdmin(shard.primary.adminUrl, (client) =>
        client.query(`DROP DATABASE ${database} WITH (FORCE)`),
      );
    }
  }

  async #everywhere<Row>(sql: string, tenantId: string): Promise<Row[]> {
    const found: Row[] = [];
    for (const admin of this.#admins) {
      const { rows } = await admin.query<Row & pg.QueryResultRow>(sql, [tenantId]);
      found.push(...rows);
    }
    return found;
  }
}

function onDatabase(url: string, database: string): string {
  const changed = new URL(url);
  changed.pathname = `/${database}`;
  return changed.href;
}

async function asAdmin(url: string, run: (client: pg.Client) => Promise<unknown>): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await run(client);
  } finally {
    await client.end();
  }
}
