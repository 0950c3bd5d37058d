/** How nodes are watched, and how far a replica may lag before it is left out. */
export interface ReplicationOptions {
  /** How often every node is asked how far it has come. */
  readonly pollMs: number;
  /** How long a node may take to answer the poll, or to let it connect, before it counts as hanging. */
  readonly unresponsiveMs: number;
  /** A replica whose lag in time is greater is left out, if it is behind in bytes at all. */
  readonly maxLagMs: number;
  /** A replica that is more bytes of write-ahead log behind its primary is left out. */
  readonly maxLagBytes: number;
  /** So many reads in a row that a replica fails under, though the poll reaches it, open its circuit breaker. */
  readonly failuresToOpen: number;
}

/** What holds unless it is configured otherwise. */
export const REPLICATION_DEFAULTS: ReplicationOptions = {
  pollMs: 100,
  unresponsiveMs: 2_000,
  maxLagMs: 60_000,
  maxLagBytes: 8 * 1024 * 1024,
  failuresToOpen: 3,
};
