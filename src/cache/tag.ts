import type { ShardPosition } from '../common/shard-position.js';

/**
 * One thing that answers depend on and writes change: a row, the rows of a table, a tenant's rows on a shard,
 * a whole shard. An answer is as good as its tags: it needs no list of whom to tell of a write.
 */
export class Tag {
  readonly name: string;
  /** The latest change, by the count of all changes. */
  changedAt = 0;
  /** Commits under way that may change it, and those whose outcome is unknown. */
  pending = 0;
  /** What a node must have replayed to show the latest change; undefined where every node has. */
  position: ShardPosition | undefined;
  /** Answers, fills and writes that point to it. */
  holders = 0;

  constructor(name: string, position: ShardPosition | undefined) {
    this.name = name;
    this.position = position;
  }
}

/** Whether nothing that these stand for has changed since, or may be changing now. */
export function areUntouched(tags: readonly Tag[], since: number): boolean {
  for (const tag of tags) if (tag.changedAt > since || tag.pending > 0) return false;
  return true;
}

/** Whether no change of these was completed since; one may be under way. */
export function areUnchanged(tags: readonly Tag[], since: number): boolean {
  for (const tag of tags) if (tag.changedAt > since) return false;
  return true;
}
