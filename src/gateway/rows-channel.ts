import type { EntityManager, FindManyOptions, FindOneOptions } from 'typeorm';
import type { ShardedEntity } from '../persistence/sharded-entity.js';
import type { CachedReads } from './cached-reads.js';
import { loginFor, type SqlRefusal } from './callers-sql.js';
import type { CompiledFinds } from './compiled-finds.js';
import type { RowOwner } from './row-owner.js';
import type { ShardAccess } from './shard-access.js';
import type { ShardCall } from './shard-call.js';
import type { ReadOptions } from './shard-reads.js';
import type { ShardedEntityClass } from './sharded-entity-class.js';
import { withTenant } from './tenant-predicate.js';

/**
 * How a repository's statements reach the database: each by itself, over the read and the write path, or
 * all within one transaction. Conditions given to it name the tenant already.
 */
export interface RowsChannel {
  /** The row of this id, in lower case. */
  findById<T extends ShardedEntity>(
    entity: ShardedEntityClass<T>,
    id: string,
    options?: ReadOptions,
  ): Promise<T | null>;
  findOne<T extends ShardedEntity>(
    entity: ShardedEntityClass<T>,
    find: FindOneOptions<T>,
    options?: ReadOptions,
  ): Promise<T | null>;
  find<T extends ShardedEntity>(
    entity: ShardedEntityClass<T>,
    find: FindManyOptions<T>,
    options?: ReadOptions,
  ): Promise<T[]>;
  /**
   * Runs a read of TypeORM's; it may be run again on another node when the first fails.
   *
   * @param given what the caller gave to it; the login depends on it
   */
  read<R>(run: (manager: EntityManager) => Promise<R>, given: unknown, options?: ReadOptions): Promise<R>;
  /** Runs a write on the primary. @param given what the caller gave to it; the login depends on it */
  write<R>(run: (manager: EntityManager) => Promise<R>, given: unknown): Promise<R>;
  /** A manager for a query builder, whose statement the caller writes and issues later. */
  builderManager(options?: ReadOptions): EntityManager;
}

/** Every statement by itself: reads from a replica, writes in a transaction of their own. */
export class StatementChannel implements RowsChannel {
  readonly #access: ShardAccess;
  readonly #reads: CachedReads;
  readonly #finds: CompiledFinds;
  readonly #owner: RowOwner;

  constructor(access: ShardAccess, reads: CachedReads, finds: CompiledFinds, owner: RowOwner) {
    this.#access = access;
    this.#reads = reads;
    this.#finds = finds;
    this.#owner = owner;
  }

  findById<T extends ShardedEntity>(
    entity: ShardedEntityClass<T>,
    id: string,
    options: ReadOptions = {},
  ): Promise<T | null> {
    return (
      this.#finds.byId(this.#owner, entity, id, options) ??
      this.findOne(entity, { where: byId(id, this.#owner) }, options)
    );
  }

  async findOne<T extends ShardedEntity>(
    entity: ShardedEntityClass<T>,
    find: FindOneOptions<T>,
    options: ReadOptions = {},
  ): Promise<T | null> {
    const compiled = this.#finds.find(this.#owner, entity, { ...find, take: 1 }, options);
    if (compiled !== undefined) return (await compiled)[0] ?? null;
    return this.read((manager) => manager.findOne(entity, find), find, options);
  }

  find<T extends ShardedEntity>(
    entity: ShardedEntityClass<T>,
    find: FindManyOptions<T>,
    options: ReadOptions = {},
  ): Promise<T[]> {
    return (
      this.#finds.find(this.#owner, entity, find, options) ??
      this.read((manager) => manager.find(entity, find), find, options)
    );
  }

  read<R>(run: (manager: EntityManager) => Promise<R>, given: unknown, options?: ReadOptions): Promise<R> {
    return this.#reads.readThrough(this.#call(loginFor(given)), run, options);
  }

  write<R>(run: (manager: EntityManager) => Promise<R>, given: unknown): Promise<R> {
    return this.#access.write(this.#call(loginFor(given)), run);
  }

  builderManager(options?: ReadOptions): EntityManager {
    const call = this.#call('tenant');
    const { reads, writes } = this.#access;
    return options?.from === 'primary' ? writes.writer(call) : reads.readLater(call, options);
  }

  #call(login: 'shared' | 'tenant'): ShardCall {
    const { shardId, userId } = this.#owner;
    return { shardId, userId, login };
  }
}

/**
 * Everything within one transaction on the primary: it reads what it wrote.
 *
 * @param refuseSql where it takes no text that a caller wrote
 */
export function transactionChannel(
  manager: EntityManager,
  owner: RowOwner,
  refuseSql?: SqlRefusal,
): RowsChannel {
  const allow = (given: unknown): void => {
    if (refuseSql !== undefined && loginFor(given) === 'tenant') throw refuseSql();
  };
  return {
    findById: (entity, id) => manager.findOne(entity, { where: byId(id, owner) }),
    findOne: async (entity, find) => {
      allow(find);
      return manager.findOne(entity, find);
    },
    find: async (entity, find) => {
      allow(find);
      return manager.find(entity, find);
    },
    read: async (run, given) => {
      allow(given);
      return run(manager);
    },
    write: async (run, given) => {
      allow(given);
      return run(manager);
    },
    builderManager: () => {
      if (refuseSql !== undefined) throw refuseSql();
      return manager;
    },
  };
}

function byId<T extends ShardedEntity>(id: string, owner: RowOwner) {
  return withTenant<T>({ id } as never, owner);
}
