import type { ShardPosition } from '../../common/shard-position.js';

/** What is known of a replica when a read looks for one. */
export interface ReplicaCandidate {
  readonly id: string;
  /** Neither broken nor beyond the lag limit. */
  readonly healthy: boolean;
  readonly timeline: number;
  /** A lower bound: what the last poll saw replayed. */
  readonly replayedLsn: bigint;
  /** Connections that are busy now. */
  readonly inUse: number;
}

/**
 * Picks the replica for a read: of two at random among those that show the required position, the less busy
 * one. Two random choices spread load nearly as well as asking all, and no crowd runs to the idlest.
 *
 * A position of another timeline than the replica's cannot be compared: such a replica does not qualify.
 *
 * @param required what the read must show at least, on this shard
 * @param random a number in [0, 1), as `Math.random` gives
 * @returns undefined when none qualifies: the primary answers
 */
export function chooseReplica<Candidate extends ReplicaCandidate>(
  candidates: readonly Candidate[],
  required: Pick<ShardPosition, 'timeline' | 'lsn'> | undefined,
  random: () => number,
): Candidate | undefined {
  const qualified = candidates.filter((candidate) => candidate.healthy && shows(candidate, required));
  if (qualified.length < 2) return qualified[0];
  const firstIndex = Math.floor(random() * qualified.length);
  const step = 1 + Math.floor(random() * (qualified.length - 1));
  const first = qualified[firstIndex];
  const second = qualified[(firstIndex + step) % qualified.length];
  return first !== undefined && second !== undefined && second.inUse < first.inUse ? second : first;
}

function shows(
  { timeline, replayedLsn }: ReplicaCandidate,
  required: Pick<ShardPosition, 'timeline' | 'lsn'> | undefined,
): boolean {
  return required === undefined || (timeline === required.timeline && replayedLsn >= required.lsn);
}
