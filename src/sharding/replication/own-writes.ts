import { LRUCache } from 'lru-cache';
import { laterPosition, type ShardPosition } from '../../common/shard-position.js';

/** Users whose latest write is remembered one by one; beyond it the shard as a whole is held to the latest. */
const USERS_MAX = 100_000;

/**
 * How far each user has written through this process, so that they see their own writes without a token.
 * A position is forgotten when every replica has replayed it.
 */
export class OwnWrites {
  readonly #isEverywhere: (position: ShardPosition) => boolean;
  /** Per shard, what everybody is held to: also the latest of users who were forgotten for want of room. */
  readonly #floors = new Map<string, ShardPosition>();
  readonly #positions = new LRUCache<string, ShardPosition>({
    max: USERS_MAX,
    dispose: (position, _key, reason) => {
      if (reason === 'evict') this.raiseFloor(position);
    },
  });

  constructor(isEverywhere: (position: ShardPosition) => boolean) {
    this.#isEverywhere = isEverywhere;
  }

  /** Notes a write of a user. Commits of one user that overlap may be noted in either order. */
  note(tenantId: string, userId: string, position: ShardPosition): void {
    const key = keyOf(tenantId, userId, position.shardId);
    this.#positions.set(key, laterPosition(this.#positions.peek(key), position));
  }

  /** The position that everybody's reads of this shard must have reached, if any replica has not. */
  floor(shardId: string): ShardPosition | undefined {
    const floor = this.#floors.get(shardId);
    if (floor === undefined || !this.#isEverywhere(floor)) return floor;
    this.#floors.delete(shardId);
    return undefined;
  }

  /** The position that this user's reads of this shard must have reached, if any replica has not. */
  required(tenantId: string, userId: string, shardId: string): ShardPosition | undefined {
    const key = keyOf(tenantId, userId, shardId);
    const own = this.#positions.get(key);
    if (own === undefined || !this.#isEverywhere(own)) return own;
    this.#positions.delete(key);
    return undefined;
  }

  /** Holds everybody's reads of a shard to this position, until every replica has replayed it. */
  raiseFloor(position: ShardPosition): void {
    if (this.#isEverywhere(position)) return;
    this.#floors.set(position.shardId, laterPosition(this.#floors.get(position.shardId), position));
  }
}

function keyOf(tenantId: string, userId: string, shardId: string): string {
  // None of the three can contain a blank.
  return `${shardId} ${tenantId} ${userId}`;
}
