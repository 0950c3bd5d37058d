/** How far a primary had come at a moment, by this process's clock. */
interface Sample {
  readonly atMs: number;
  readonly lsn: bigint;
}

/** Samples that are kept: enough to tell an hour's lag to a few per cent, and to scan in microseconds. */
const SAMPLES_MAX = 256;

/**
 * Tells how long a replica has been behind, by one clock: that of this process. It remembers when the primary
 * was seen how far; the lag of a replica is the age of the first of these positions that it has not replayed.
 *
 * So an idle primary makes no lag, clocks of servers do not matter, and the lag of a replica that receives
 * nothing any more grows. It is short by at most the time between two samples.
 */
export class LagClock {
  /** Rising in both time and position. */
  #samples: Sample[] = [];
  #latest: bigint | undefined;

  /** How far the primary was seen last; undefined when it never was. */
  get latest(): bigint | undefined {
    return this.#latest;
  }

  /** Notes how far the primary is now. A position before the last one begins another history. */
  note(lsn: bigint, nowMs: number): void {
    if (this.#latest !== undefined && lsn < this.#latest) this.#samples = [];
    if (lsn === this.#latest) return;
    this.#latest = lsn;
    this.#samples.push({ atMs: nowMs, lsn });
    if (this.#samples.length > SAMPLES_MAX) this.#thinOut(nowMs);
  }

  /** Forgets everything: the primary is on another timeline. */
  clear(): void {
    this.#samples = [];
    this.#latest = undefined;
  }

  /** Forgets what every replica has replayed. */
  forgetUpTo(lsn: bigint): void {
    const kept = this.#samples.findIndex((sample) => sample.lsn > lsn);
    if (kept !== 0) this.#samples.splice(0, kept === -1 ? this.#samples.length : kept);
  }

  /** Milliseconds since the primary was first seen beyond this position; 0 when it never was. */
  lagMs(replayedLsn: bigint, nowMs: number): number {
    const firstMissing = this.#samples.find(({ lsn }) => lsn > replayedLsn);
    return firstMissing === undefined ? 0 : nowMs - firstMissing.atMs;
  }

  /**
   * Leaves out the sample whose absence falsifies the lag least: the one with the smallest gap around it
   * for its age. What remains is dense for recent times and sparse for old ones. Never the first or last.
   */
  #thinOut(nowMs: number): void {
    let spare = 1;
    let leastError = Infinity;
    this.#samples.forEach(({ atMs }, index) => {
      const before = this.#samples[index - 1];
      const after = this.#samples[index + 1];
      if (before === undefined || after === undefined) return;
      // One more millisecond, because the sample can be from right now.
      const error = (after.atMs - before.atMs) / (nowMs - atMs + 1);
      if (error >= leastError) return;
      leastError = error;
      spare = index;
    });
    this.#samples.splice(spare, 1);
  }
}
