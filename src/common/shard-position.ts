/**
 * A place in one shard's write-ahead log. A node that has replayed `lsn` of `timeline` shows every write
 * that had been acknowledged when the position was taken.
 */
export interface ShardPosition {
  readonly shardId: string;
  /** PostgreSQL's timeline id: it changes when a replica is promoted. */
  readonly timeline: number;
  /** Log sequence number as a byte offset. */
  readonly lsn: bigint;
}

/** The later of two positions of one shard; a later timeline always is. */
export function laterPosition<Position extends ShardPosition>(
  known: Position | undefined,
  candidate: Position,
): Position {
  if (known === undefined || candidate.timeline > known.timeline) return candidate;
  return candidate.timeline === known.timeline && candidate.lsn > known.lsn ? candidate : known;
}

/** Whether a node at `position` shows everything that lies before `required`. */
export function shows(position: ShardPosition | undefined, required: ShardPosition): boolean {
  if (position === undefined) return false;
  return (
    position.timeline > required.timeline ||
    (position.timeline === required.timeline && position.lsn >= required.lsn)
  );
}
