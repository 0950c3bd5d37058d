import type { ShardPosition } from '../common/shard-position.js';

/** Commits that are remembered; a token of an older one is taken for another process's, which costs a read. */
const COMMITS_MAX = 50_000;

/**
 * The positions of this process's own commits. The cache has taken them into account before anybody was told
 * of them, so a token that names one asks nothing more of it.
 */
export class OwnCommits {
  /** Oldest first. */
  readonly #positions = new Set<string>();

  note(position: ShardPosition): void {
    this.#positions.add(keyOf(position));
    if (this.#positions.size <= COMMITS_MAX) return;
    for (const oldest of this.#positions) {
      this.#positions.delete(oldest);
      break;
    }
  }

  /** Whether a commit of this process ended exactly there. */
  has(position: ShardPosition): boolean {
    return this.#positions.has(keyOf(position));
  }
}

function keyOf({ shardId, timeline, lsn }: ShardPosition): string {
  return `${shardId} ${timeline} ${lsn}`;
}
