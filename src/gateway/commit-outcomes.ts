import type { ShardPosition } from '../common/shard-position.js';
import type { NodeDirectory } from '../sharding/connections/node-directory.js';
import type { UnknownCommit } from './watched-writes.js';

/** The server's process still exists; others than the gateway's own show their number too. */
const IS_AT_IT_SQL = 'SELECT FROM pg_catalog.pg_stat_activity WHERE pid = $1';

/** It can still be committed. Once committed it is visible before it is gone from there. */
const IS_PREPARED_SQL = 'SELECT FROM pg_catalog.pg_prepared_xacts WHERE gid = $1';

/** How long until a primary is asked again. */
const AGAIN_MS = 200;

/**
 * Finds out when commits are over whose connection broke before their answer came. Whether one was kept is not
 * asked: it counts as kept. But until the server's process for it is gone it may still become visible.
 */
export class CommitOutcomes {
  readonly #nodes: NodeDirectory;
  readonly #currentPosition: (shardId: string) => Promise<ShardPosition>;
  readonly #timers = new Set<NodeJS.Timeout>();
  #isStopped = false;

  /** @param currentPosition how far a shard's primary has written by now */
  constructor(nodes: NodeDirectory, currentPosition: (shardId: string) => Promise<ShardPosition>) {
    this.#nodes = nodes;
    this.#currentPosition = currentPosition;
  }

  /** Calls `over` with a position behind everything that can have been committed of it. */
  findOut(shardId: string, { processId, gid }: UnknownCommit, over: (position: ShardPosition) => void): void {
    const primary = this.#nodes.primary(shardId);
    const isGone = async (): Promise<boolean> => {
      const atIt = await primary.query(IS_AT_IT_SQL, [processId]);
      if (atIt.length > 0) return false;
      // Asked afterwards: until its process was gone, it could still be prepared.
      return gid === undefined || (await primary.query(IS_PREPARED_SQL, [gid])).length === 0;
    };
    this.#askUntil(isGone, shardId, over);
  }

  /** Calls `over` with a position behind everything that was committed before this call. */
  findPosition(shardId: string, over: (position: ShardPosition) => void): void {
    this.#askUntil(() => Promise.resolve(true), shardId, over);
  }

  /** Ends the asking; what is not known then never will be. */
  stop(): void {
    this.#isStopped = true;
    for (const timer of this.#timers) clearTimeout(timer);
  }

  #askUntil(isOver: () => Promise<boolean>, shardId: string, over: (position: ShardPosition) => void): void {
    const ask = async (): Promise<void> => {
      let position: ShardPosition | undefined;
      try {
        if (await isOver()) position = await this.#currentPosition(shardId);
      } catch {
        // The primary is away. When it is back, what was at it is gone with the one before.
      }
      if (position !== undefined) over(position);
      else if (!this.#isStopped) this.#later(ask);
    };
    void ask();
  }

  #later(ask: () => Promise<void>): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      void ask();
    }, AGAIN_MS).unref();
    this.#timers.add(timer);
  }
}
