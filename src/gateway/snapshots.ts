import type { EntityManager, QueryRunner } from 'typeorm';
import { GatewayContext } from '../common/gateway-context.js';
import { ShardUnavailableError } from '../common/gateway-error.js';
import type { PooledConnection } from '../sharding/connections/connection-pool.js';
import { isConnectionFailure } from '../sharding/connections/failure.js';
import type { NodeDirectory } from '../sharding/connections/node-directory.js';
import type { ConsistentCut } from '../sharding/transactions/consistent-cut.js';
import type { ShardReads } from './shard-reads.js';
import { SnapshotReader } from './snapshot-reader.js';

/** Whose connections a snapshot uses, and how long it may take to find a moment for it. */
export interface SnapshotOptions {
  /**
   * Default: `tenant`, so that any SQL may run in it. With `shared` it uses the gateway's own; then `reader.query`
   * is refused, and whoever gives text to `reader.onEachShard` vouches for it.
   */
  readonly login?: 'shared' | 'tenant';
  /** Milliseconds. Default 10,000. */
  readonly deadlineMs?: number;
}

const DEADLINE_MS = 10_000;

/** The snapshot is taken by the first statement, not by BEGIN. */
const TAKE_SNAPSHOT_SQL = 'SELECT pg_catalog.clock_timestamp() AS at';

/** A transaction in which a snapshot is to be taken. */
interface ShardSnapshot {
  readonly shardId: string;
  readonly manager: EntityManager;
  readonly runner: QueryRunner;
  /** Gives its connection back if nobody began on it. */
  readonly release: () => void;
}

/** Opens snapshots on all of a tenant's shards that show the same transactions. */
export class Snapshots {
  readonly #reads: ShardReads;
  readonly #nodes: NodeDirectory;
  readonly #cut: ConsistentCut;

  constructor(reads: ShardReads, nodes: NodeDirectory, cut: ConsistentCut) {
    this.#reads = reads;
    this.#nodes = nodes;
    this.#cut = cut;
  }

  /** Runs `fn` on snapshots of these shards; they end with it. */
  async read<T>(
    shardIds: readonly string[],
    { login = 'tenant', deadlineMs = DEADLINE_MS }: SnapshotOptions,
    fn: (reader: SnapshotReader) => Promise<T>,
  ): Promise<T> {
    const snapshots: ShardSnapshot[] = [];
    try {
      // Connections first: nothing waits for a full pool while commits are held up.
      for (const shardId of shardIds) snapshots.push(await this.#prepare(shardId, login));
      const times = await this.#cut.at(shardIds, deadlineMs, () => Promise.all(snapshots.map(open)));
      const managers = new Map(snapshots.map(({ shardId, manager }) => [shardId, manager]));
      for (const shardId of shardIds) GatewayContext.trace()?.noteRead(shardId, 'primary');
      return await fn(new SnapshotReader(managers, times[0] ?? new Date(), login));
    } finally {
      await Promise.all(snapshots.map(close));
    }
  }

  async #prepare(shardId: string, login: 'shared' | 'tenant'): Promise<ShardSnapshot> {
    this.#reads.assertServed(shardId);
    const node = this.#nodes.primary(shardId);
    const session = this.#reads.readSession(GatewayContext.require(), { shardId, login });
    const source = node.connections(session);
    let lent: PooledConnection | undefined;
    try {
      lent = await source.acquire();
    } catch (error) {
      throw isConnectionFailure(error) ? isAway(shardId, error) : error;
    }
    const connection = lent;
    const giveBack = (isBroken: boolean): void => {
      if (lent === undefined) return;
      lent = undefined;
      source.release(connection, isBroken);
    };
    const manager = node.session(session, {
      acquire: () => Promise.resolve(connection),
      release: (_, isBroken) => {
        giveBack(isBroken);
      },
    });
    const runner = manager.queryRunner;
    if (runner === undefined) throw new TypeError('The manager is no session of a tenant.');
    return {
      shardId,
      manager,
      runner,
      release: () => {
        giveBack(false);
      },
    };
  }
}

async function open({ shardId, manager, runner }: ShardSnapshot): Promise<Date | undefined> {
  try {
    await runner.startTransaction('REPEATABLE READ');
    const [row] = await manager.query<{ at: Date }[]>(TAKE_SNAPSHOT_SQL);
    return row?.at;
  } catch (error) {
    throw isConnectionFailure(error) ? isAway(shardId, error) : error;
  }
}

/** Never rejects. */
async function close({ runner, release }: ShardSnapshot): Promise<void> {
  if (runner.isTransactionActive) await runner.rollbackTransaction().catch(() => undefined);
  await runner.release();
  release();
}

function isAway(shardId: string, cause: unknown): ShardUnavailableError {
  return new ShardUnavailableError(shardId, 'its primary does not answer; try again shortly.', cause);
}
