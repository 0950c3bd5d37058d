import type { ShardPosition } from '../common/shard-position.js';
import type { Tag } from './tag.js';
import type { Tags } from './tags.js';

/**
 * Stands around one COMMIT. From before it is sent until its outcome is known, what it writes is neither
 * answered from the cache nor put there: in between, some see the old state and some the new one.
 */
export class WriteFence {
  readonly #tags: Tags;
  #held: readonly Tag[];

  /** @param held the tags of what is written, held for this fence */
  constructor(tags: Tags, held: readonly Tag[]) {
    this.#tags = tags;
    this.#held = held;
    for (const tag of held) tag.pending += 1;
  }

  /** The write is kept, and lies before this position. To be called before anybody is told of it. */
  committed(position: ShardPosition): void {
    this.#tags.change(this.#held, position);
    this.undone();
  }

  /** Nothing of it is kept. */
  undone(): void {
    const held = this.#held;
    this.#held = [];
    for (const tag of held) tag.pending -= 1;
    this.#tags.release(held);
  }
}
