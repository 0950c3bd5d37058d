import type { EntityManager } from 'typeorm';
import type { ReadOptions, ShardAccess, ShardCall } from './shard-access.js';

/**
 * How a repository's statements reach the database: each by itself, over the read and the write path, or
 * all within one transaction.
 */
export interface RowsChannel {
  /** Runs a read; it may be run again on another node when the first fails. */
  read<T>(run: (manager: EntityManager) => Promise<T>, options?: ReadOptions): Promise<T>;
  /** Runs a write on the primary. */
  write<T>(run: (manager: EntityManager) => Promise<T>): Promise<T>;
  /** A manager for a query builder, whose statement is issued later. */
  builderManager(options?: ReadOptions): EntityManager;
}

/** Every statement by itself: reads from a replica, writes in a transaction of their own. */
export function statementChannel(access: ShardAccess, call: ShardCall): RowsChannel {
  return {
    read: (run, options) => access.read(call, run, options),
    write: (run) => access.write(call, run),
    builderManager: (options) =>
      options?.from === 'primary' ? access.writer(call) : access.readLater(call, options),
  };
}

/** Everything within one transaction on the primary: it reads what it wrote. */
export function transactionChannel(manager: EntityManager): RowsChannel {
  return {
    read: (run) => run(manager),
    write: (run) => run(manager),
    builderManager: () => manager,
  };
}
