import type { EntityManager, FindManyOptions, FindOneOptions } from 'typeorm';
import type { ShardedEntity } from '../persistence/sharded-entity.js';
import { loginFor } from './callers-sql.js';
import type { CompiledFinds } from './compiled-finds.js';
import type { RowOwner } from './row-owner.js';
import type { ReadOptions, ShardAccess, ShardCall } from './shard-access.js';
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
export function statementChannel(access: ShardAccess, finds: CompiledFinds, owner: RowOwner): RowsChannel {
  const { shardId, userId } = owner;
  const call = { shardId, userId };
  const callWith = (given: unknown): ShardCall => ({ ...call, login: loginFor(given) });
  const channel: RowsChannel = {
    async findById(entity, id, options = {}) {
      const compiled = finds.byId(call, entity, id, options);
      if (compiled === undefined) return channel.findOne(entity, { where: byId(id, owner) }, options);
      const row = await compiled;
      // The statement is shared by all of the tenant's users.
      return row === null || userId === undefined || row.userId === userId ? row : null;
    },
    async findOne(entity, find, options = {}) {
      const compiled = finds.find(call, entity, { ...find, take: 1 }, options);
      if (compiled !== undefined) return (await compiled)[0] ?? null;
      return access.read(callWith(find), (manager) => manager.findOne(entity, find), options);
    },
    find: (entity, find, options = {}) =>
      finds.find(call, entity, find, options) ??
      access.read(callWith(find), (manager) => manager.find(entity, find), options),
    read: (run, given, options) => access.read(callWith(given), run, options),
    write: (run, given) => access.write(callWith(given), run),
    builderManager: (options) => {
      const callers = { ...call, login: 'tenant' } as const;
      return options?.from === 'primary' ? access.writer(callers) : access.readLater(callers, options);
    },
  };
  return channel;
}

/** Everything within one transaction on the primary: it reads what it wrote. */
export function transactionChannel(manager: EntityManager, owner: RowOwner): RowsChannel {
  return {
    findById: (entity, id) => manager.findOne(entity, { where: byId(id, owner) }),
    findOne: (entity, find) => manager.findOne(entity, find),
    find: (entity, find) => manager.find(entity, find),
    read: (run) => run(manager),
    write: (run) => run(manager),
    builderManager: () => manager,
  };
}

function byId<T extends ShardedEntity>(id: string, owner: RowOwner) {
  return withTenant<T>({ id } as never, owner);
}
