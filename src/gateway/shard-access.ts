import type { EntityManager } from 'typeorm';
import type { PrimaryWrites } from './primary-writes.js';
import type { ShardCall } from './shard-call.js';
import type { ReadOptions, ShardReads } from './shard-reads.js';

/** How the library reaches the rows of one shard: one way for reads, and one for writes. */
export class ShardAccess {
  readonly reads: ShardReads;
  readonly writes: PrimaryWrites;

  constructor(reads: ShardReads, writes: PrimaryWrites) {
    this.reads = reads;
    this.writes = writes;
  }

  /** @see ShardReads.read */
  read<T>(call: ShardCall, run: (manager: EntityManager) => Promise<T>, options?: ReadOptions): Promise<T> {
    return this.reads.read(call, run, options);
  }

  /** @see PrimaryWrites.write */
  write<T>(call: ShardCall, run: (manager: EntityManager) => Promise<T>): Promise<T> {
    return this.writes.write(call, run);
  }
}
