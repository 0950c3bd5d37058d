import { laterPosition, type ShardPosition } from './shard-position.js';

/** A position up to which somebody wrote, as tokens carry it. */
export interface WrittenPosition extends ShardPosition {
  /**
   * The gateway process whose writes are meant, and whose cache therefore knows of them. Left out where what
   * others wrote before it is meant, too: no cache is known to know all of that.
   */
  readonly writer?: string | undefined;
}

/**
 * Of each shard and writer the farthest position. Those of different writers are kept apart even where they are
 * the same: two processes that commit at the same time can get one position, and a cache knows of one of the writes.
 */
export class WrittenPositions implements Iterable<WrittenPosition> {
  readonly #farthest = new Map<string, WrittenPosition>();

  constructor(positions: Iterable<WrittenPosition> = []) {
    for (const position of positions) this.add(position);
  }

  /** Takes one more. */
  add(position: WrittenPosition): void {
    // No id of a shard holds a blank.
    const key = `${position.shardId} ${position.writer ?? ''}`;
    this.#farthest.set(key, laterPosition(this.#farthest.get(key), position));
  }

  [Symbol.iterator](): Iterator<WrittenPosition> {
    return this.#farthest.values();
  }
}
