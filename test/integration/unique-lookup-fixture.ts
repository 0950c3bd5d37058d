import { randomBytes, randomUUID } from 'node:crypto';
import pg from 'pg';
import type { EntityManager, MigrationInterface, QueryRunner } from 'typeorm';
import { GatewayContext } from '../../src/common/gateway-context.js';
import { GatewayError, ShardUnavailableError } from '../../src/common/gateway-error.js';
import { SILENT_LOG } from '../../src/common/log.js';
import { ShardAccess } from '../../src/gateway/shard-access.js';
import { NodeDirectory, type ShardAddress } from '../../src/sharding/connections/node-directory.js';
import type { LookupAccess } from '../../src/sharding/lookup/lookup-access.js';
import type { LookupStep } from '../../src/sharding/lookup/lookup-steps.js';
import { UniqueLookup } from '../../src/sharding/lookup/unique-lookup.js';
import { migrateShards } from '../../src/sharding/migrations/migrator.js';
import { CreateShardTables1763800000000 } from '../../src/sharding/migrations/system/create-shard-tables.js';
import { SYSTEM_TABLES } from '../../src/sharding/migrations/system/system-tables.js';
import { OwnWrites } from '../../src/sharding/replication/own-writes.js';
import { ReplicationMonitor } from '../../src/sharding/replication/replication-monitor.js';
import { Router } from '../../src/sharding/routing/router.js';
import { BucketHasher } from '../../src/sharding/topology/bucket.js';
import { IdMint } from '../../src/sharding/topology/id-mint.js';
import { ShardMap } from '../../src/sharding/topology/shard-map.js';
import { sharedCluster } from '../support/cluster.js';

const INDEX = 'account_number';

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
  acquireTimeoutMs: 10_000,
  connectTimeoutMs: 5_000,
  recycleMs: 3_600_000,
  idleTimeoutMs: 10_000,
  statementTimeoutMs: 10_000,
  processes: 1,
};

/** Stands for a process's death: whoever sees it is dead itself. */
class ProcessDied extends Error {
  constructor() {
    super('this process died');
  }
}

/** What one test wants of one creation. */
export interface CreateOptions {
  /** Runs inside the row's transaction, after its outcome was recorded. */
  readonly insideTransaction?: (transaction: EntityManager) => Promise<void> | void;
  /** Runs after the commit, still inside `create`. */
  readonly afterCommit?: () => Promise<void> | void;
  /** Runs at the begin of `create`, before there is a transaction. */
  readonly beforeTransaction?: () => Promise<void> | void;
}

/** How a process of a test behaves. */
export interface ProcessOptions {
  readonly graceMs?: number;
  readonly deadlineMs?: number;
  /** The step at which it dies, when it gets there. */
  readonly dieAt?: LookupStep | undefined;
  /** Awaited at each step, before the process dies there. */
  readonly onStep?: (step: LookupStep) => Promise<void> | void;
}

/** One gateway process: it can die, and shards can be away for it alone. */
export class TestProcess {
  readonly lookup: UniqueLookup;
  /** The steps that it took, in order. */
  readonly steps: LookupStep[] = [];
  /** Shards that do not answer this process. */
  readonly away = new Set<string>();
  readonly #world: LookupWorld;
  readonly #access: LookupAccess;
  #dead = false;
  #reads = 0;
  #onRead: (() => void) | undefined;

  constructor(world: LookupWorld, { dieAt, onStep, ...patience }: ProcessOptions) {
    this.#world = world;
    this.#access = {
      read: async (call, run, options) => {
        this.#assertReachable(call.shardId);
        this.#reads += 1;
        this.#onRead?.();
        return world.access.read(call, run, options);
      },
      write: async (call, run) => {
        this.#assertReachable(call.shardId);
        return world.access.write(call, run);
      },
    };
    this.lookup = new UniqueLookup(this.#access, world.router, {
      ...patience,
      onStep: async (step) => {
        this.#assertAlive();
        this.steps.push(step);
        await onStep?.(step);
        if (step !== dieAt) return;
        this.#dead = true;
        throw new ProcessDied();
      },
    });
  }

  /** Resolves when this process has read `count` more times. */
  async untilRead(count: number): Promise<void> {
    const wanted = this.#reads + count;
    await new Promise<void>((resolve) => {
      this.#onRead = () => {
        if (this.#reads >= wanted) resolve();
      };
    });
  }

  /** Creates a row of `userId` with this value. @returns the row's id */
  create(tenantId: string, userId: string, value: string, options: CreateOptions = {}): Promise<string> {
    const { router, mint } = this.#world;
    const { shardId, bucket } = router.forUser({ tenantId, userId });
    return inScope(tenantId, userId, () =>
      this.lookup.createUnique({
        index: INDEX,
        value,
        userId,
        mintRowId: () => mint.mint(bucket),
        taken: () =>
          new GatewayError('account_number_taken', 'The account number is in use; choose another.'),
        create: async (rowId, recordOutcome) => {
          await options.beforeTransaction?.();
          await this.#access.write({ shardId, userId }, (manager) =>
            manager.transaction(async (transaction) => {
              await this.#world.insertRow(transaction, { tenantId, rowId, userId, bucket, value });
              await recordOutcome(transaction);
              await options.insideTransaction?.(transaction);
            }),
          );
          await options.afterCommit?.();
          return rowId;
        },
      }),
    );
  }

  /** The id of the row that has this value. */
  async find(tenantId: string, value: string, from?: 'replica' | 'primary'): Promise<string | undefined> {
    const found = await inScope(tenantId, undefined, () =>
      this.lookup.find({ index: INDEX, value }, from === undefined ? {} : { from }),
    );
    return found?.rowId;
  }

  /** Settles every claim of the tenant, however young. */
  sweep(tenantId: string, olderThanMs = 0) {
    return inScope(tenantId, undefined, () => this.lookup.sweep({ olderThanMs, limit: 100 }));
  }

  #assertAlive(): void {
    if (this.#dead) throw new ProcessDied();
  }

  #assertReachable(shardId: string): void {
    this.#assertAlive();
    if (this.away.has(shardId)) throw new ShardUnavailableError(shardId, 'it is away for this test.');
  }
}

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
    this.#monitor = new ReplicationMonitor(nodes, 50, SILENT_LOG);
    const ownWrites = new OwnWrites((position) => this.#monitor.isEverywhere(position));
    this.access = new ShardAccess(nodes, this.#monitor, ownWrites, () => undefined);
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
      migrations: [CreateShardTables1763800000000, CreateLookupTestRows1763800000999],
      protectedTables: [...SYSTEM_TABLES, { schema: 'lookup_test', table: 'rows' }],
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

  /** Runs something as this tenant, and this user. */
  inScope<T>(tenantId: string, userId: string, run: () => Promise<T>): Promise<T> {
    return inScope(tenantId, userId, run);
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
    return this.router.forValue({ tenantId, index: INDEX, value }).shardId;
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
    const caughtUp = async (): Promise<boolean> => {
      await Promise.all(this.#nodes.all().map((node) => this.#monitor.poll(node)));
      return this.#nodes.shardIds.every((shardId) => {
        const { timeline, lsn } = this.#monitor.status(shardId);
        return this.#monitor.isEverywhere({ shardId, timeline, lsn });
      });
    };
    while (!(await caughtUp())) await new Promise((resolve) => setTimeout(resolve, 20));
  }

  async close(): Promise<void> {
    this.#monitor.stop();
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

/** A gate that stays shut until it is opened. */
export class Gate {
  readonly opened: Promise<void>;
  readonly reached: Promise<void>;
  #open!: () => void;
  #reach!: () => void;

  constructor() {
    this.opened = new Promise((resolve) => (this.#open = resolve));
    this.reached = new Promise((resolve) => (this.#reach = resolve));
  }

  open(): void {
    this.#open();
  }

  /** Says that somebody stands before the gate, and waits with them. */
  async pass(): Promise<void> {
    this.#reach();
    await this.opened;
  }
}

/** Why a promise was rejected: the code of a GatewayError, or the message; undefined when it was not. */
export async function refusalOf(promise: Promise<unknown>): Promise<string | undefined> {
  try {
    await promise;
    return undefined;
  } catch (error) {
    if (error instanceof GatewayError) return error.code;
    return error instanceof Error ? error.message : 'unknown';
  }
}

function inScope<T>(tenantId: string, userId: string | undefined, run: () => Promise<T>): Promise<T> {
  return GatewayContext.run({ tenantId, userId, actor: 'test' }, run);
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
