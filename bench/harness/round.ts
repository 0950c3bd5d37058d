/** One round of one subject. */
export interface Round {
  readonly callers: number;
  readonly durationMs: number;
  /** Ends the round before its time. */
  readonly signal: AbortSignal;
}

/** What one subject did in one round. */
export interface Measurement {
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly calls: number;
}
