import type { ShardPosition } from '../../common/shard-position.js';
import type { OutReason } from './node-status.js';

/** What is known of a replica when a read looks for one. */
export interface ReplicaCandidate {
  readonly id: string;
  /** Why no reads go to it; undefined when they may. */
  readonly reason: OutReason | undefined;
  readonly timeline: number;
  /** A lower bound: what the last poll saw replayed. */
  readonly lsn: bigint;
  /** Connections that are busy now. */
  readonly inUse: number;
}

/** What a read must show at least. */
export type RequiredPosition = Pick<ShardPosition, 'timeline' | 'lsn'>;

/**
 * Picks the replica for a read: of two at random among those that show the required position, the less busy
 * one. Two random choices spread load nearly as well as asking all, and no crowd runs to the idlest.
 *
 * A position of another timeline than the replica's cannot be compared: such a replica does not qualify.
 * Runs once per read, so it allocates nothing.
 *
 * @param required what the read must show at least, on this shard
 * @param failed ids of replicas under which this read failed already
 * @param random a number in [0, 1), as `Math.random` gives
 * @returns undefined when none qualifies: the primary answers
 */
export function chooseReplica<Candidate extends ReplicaCandidate>(
  candidates: readonly Candidate[],
  required: RequiredPosition | undefined,
  failed: ReadonlySet<string> | undefined,
  random: () => number,
): Candidate | undefined {
  let count = 0;
  let only: Candidate | undefined;
  for (const candidate of candidates) {
    if (!qualifies(candidate, required, failed)) continue;
    count += 1;
    only = candidate;
  }
  if (count < 2) return only;
  const firstIndex = Math.floor(random() * count);
  const secondIndex = (firstIndex + 1 + Math.floor(random() * (count - 1))) % count;
  let first: Candidate | undefined;
  let second: Candidate | undefined;
  let index = 0;
  for (const candidate of candidates) {
    if (!qualifies(candidate, required, failed)) continue;
    if (index === firstIndex) first = candidate;
    if (index === secondIndex) second = candidate;
    index += 1;
  }
  return first !== undefined && second !== undefined && second.inUse < first.inUse ? second : first;
}

function qualifies(
  { id, reason, timeline, lsn }: ReplicaCandidate,
  required: RequiredPosition | undefined,
  failed: ReadonlySet<string> | undefined,
): boolean {
  return (
    reason === undefined &&
    (required === undefined || (timeline === required.timeline && lsn >= required.lsn)) &&
    failed?.has(id) !== true
  );
}
