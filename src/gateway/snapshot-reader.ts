import type { EntityManager } from 'typeorm';
import { ShardUnavailableError } from '../common/gateway-error.js';
import type { SqlRow } from '../common/sql-executor.js';
import { isConnectionFailure } from '../sharding/connections/failure.js';
import { refuseOnSharedLogin } from './callers-sql.js';

/** Reads of one consistent cut through the tenant's shards: whatever it asks, it sees the same moment. */
export class SnapshotReader {
  /** The tenant's shards, in the order in which rows of several are given. */
  readonly shardIds: readonly string[];
  /** When the cut was made, by the clock of the first shard. */
  readonly asOf: Date;
  readonly #managers: ReadonlyMap<string, EntityManager>;
  readonly #login: 'shared' | 'tenant';

  /** @param managers by shard, each in its snapshot */
  constructor(managers: ReadonlyMap<string, EntityManager>, asOf: Date, login: 'shared' | 'tenant') {
    this.shardIds = [...managers.keys()];
    this.asOf = asOf;
    this.#managers = managers;
    this.#login = login;
  }

  /**
   * One statement of the caller's own on every shard; the rows of all shards, one after the other.
   *
   * @throws ScopeConflictError in a snapshot with `{ login: 'shared' }`
   * @throws ShardUnavailableError as {@link onEachShard}
   */
  async query<Row extends SqlRow = SqlRow>(sql: string, params: readonly unknown[] = []): Promise<Row[]> {
    if (this.#login === 'shared') throw refuseOnSharedLogin();
    const rows = await this.onEachShard((manager) => manager.query<Row[]>(sql, [...params]));
    return [...rows.values()].flat();
  }

  /**
   * Runs reads through TypeORM on every shard, at once. With `{ login: 'shared' }` its caller vouches for the text.
   *
   * @throws ShardUnavailableError when a primary goes away meanwhile: no other node has its snapshot
   */
  async onEachShard<T>(
    read: (manager: EntityManager, shardId: string) => Promise<T>,
  ): Promise<ReadonlyMap<string, T>> {
    const answers = await Promise.all(
      Array.from(
        this.#managers,
        async ([shardId, manager]) =>
          [shardId, await read(manager, shardId).catch((error: unknown) => lost(shardId, error))] as const,
      ),
    );
    return new Map(answers);
  }
}

function lost(shardId: string, error: unknown): never {
  if (!isConnectionFailure(error)) throw error;
  throw new ShardUnavailableError(
    shardId,
    'its primary went away, and with it the snapshot; try again shortly.',
    error,
  );
}
