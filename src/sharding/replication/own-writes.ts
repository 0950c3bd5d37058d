import { LRUCache } from 'lru-cache';
import { laterPosition, type ShardPosition } from '../../common/shard-position.js';
import type { ShardFloors } from './shard-floors.js';

/** Users whose latest write is remembered one by one; beyond it the shard as a whole is held to the latest. */
const USERS_MAX = 100_000;

/**
 * How far each user has written through this process, so that they see their own writes without a token.
 * A position is forgotten when every replica has replayed it, those that are away included: one that comes
 * back may be behind it. A replica that never comes back costs memory for {@link USERS_MAX} users, no more.
 */
export class OwnWrites {
  readonly #isEverywhere: (position: ShardPosition) => boolean;
  readonly #positions: LRUCache<string, ShardPosition>;

  /** @param floors hold everybody to the writes of users who were forgotten for want of room */
  constructor(isEverywhere: (position: ShardPosition) => boolean, floors: ShardFloors) {
    this.#isEverywhere = isEverywhere;
    this.#positions = new LRUCache({
      max: USERS_MAX,
      dispose: (position, _key, reason) => {
        if (reason === 'evict') floors.raise(position);
      },
    });
  }

  /** Notes a write of a user. Commits of one user that overlap may be noted in either order. */
  note(tenantId: string, userId: string, position: ShardPosition): void {
    const key = keyOf(tenantId, userId, position.shardId);
    this.#positions.set(key, laterPosition(this.#positions.peek(key), position));
  }

  /** The position that this user's reads of this shard must have reached, if any replica has not. */
  required(tenantId: string, userId: string, shardId: string): ShardPosition | undefined {
    if (this.#positions.size === 0) return undefined;
    const key = keyOf(tenantId, userId, shardId);
    const own = this.#positions.get(key);
    if (own === undefined || !this.#isEverywhere(own)) return own;
    this.#positions.delete(key);
    return undefined;
  }
}

function keyOf(tenantId: string, userId: string, shardId: string): string {
  // None of the three can contain a blank.
  return `${shardId} ${tenantId} ${userId}`;
}
