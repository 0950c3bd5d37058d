/** Why no reads go to a replica, or no writes to a primary. */
export type OutReason =
  | 'not asked yet'
  /** A statement lost its connection; the poll is asking. */
  | 'in doubt'
  | 'does not answer'
  | 'cannot be reached'
  | 'is a standby'
  | 'not a replica any more'
  | 'on another timeline'
  | 'catching up'
  | 'breaker open'
  | 'lagging';

/** What is known of a node, as of its last poll. */
export interface NodeStatus {
  /** `up`: it answers, and is what it is configured as. */
  readonly state: 'unknown' | 'up' | 'down';
  /** Why it is out; undefined when it may be used. A node that is `up` can be out: it lags. */
  readonly reason: OutReason | undefined;
  /** The timeline that it is on; 0 until it was reached. */
  readonly timeline: number;
  /** Replica: how far it has replayed. Primary: how far it has written. A lower bound. */
  readonly lsn: bigint;
  /** Replica: how long ago its primary wrote what it has not replayed, 0 when it has all; undefined: not known. */
  readonly lagMs: number | undefined;
  /** Replica: bytes of write-ahead log behind its primary; undefined: not known. */
  readonly lagBytes: number | undefined;
}
