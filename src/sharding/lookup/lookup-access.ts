import type { EntityManager } from 'typeorm';

/** Which shard a statement of the lookup goes to, and whose row it is about. */
interface LookupCall {
  readonly shardId: string;
  readonly userId?: string;
}

/** Which nodes may answer a read. */
export interface LookupReadOptions {
  readonly from?: 'replica' | 'primary';
}

/**
 * What the lookup needs of the shards: a read and a write on one of them, in the tenant of the current
 * scope. The gateway's `ShardAccess` is one.
 */
export interface LookupAccess {
  /** @throws ShardUnavailableError when no node of the shard answers */
  read<T>(
    call: LookupCall,
    run: (manager: EntityManager) => Promise<T>,
    options?: LookupReadOptions,
  ): Promise<T>;
  /** Runs on the primary, never twice by itself. @throws ShardUnavailableError when it does not answer */
  write<T>(call: LookupCall, run: (manager: EntityManager) => Promise<T>): Promise<T>;
}
