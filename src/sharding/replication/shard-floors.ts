import { laterPosition, type ShardPosition } from '../../common/shard-position.js';

/**
 * What everybody's reads of a shard are held to: the migrations that it must show, and writes whose users
 * could not be remembered one by one. A floor is forgotten when every replica has replayed it.
 */
export class ShardFloors {
  readonly #isEverywhere: (position: ShardPosition) => boolean;
  readonly #floors = new Map<string, ShardPosition>();

  constructor(isEverywhere: (position: ShardPosition) => boolean) {
    this.#isEverywhere = isEverywhere;
  }

  /** Holds everybody's reads of a shard to this position, until every replica has replayed it. */
  raise(position: ShardPosition): void {
    if (this.#isEverywhere(position)) return;
    this.#floors.set(position.shardId, laterPosition(this.#floors.get(position.shardId), position));
  }

  /** The position that everybody's reads of this shard must have reached, if any replica has not. */
  required(shardId: string): ShardPosition | undefined {
    const floor = this.#floors.get(shardId);
    if (floor === undefined || !this.#isEverywhere(floor)) return floor;
    this.#floors.delete(shardId);
    return undefined;
  }
}
