/** Growing pauses between attempts, from `minMs` doubling up to `maxMs`, until something was stable again. */
export class Backoff {
  readonly #minMs: number;
  readonly #maxMs: number;
  readonly #stableMs: number;
  #nextMs: number;

  /** @param stableMs how long something must have run for its next failure to count as the first */
  constructor(minMs: number, maxMs: number, stableMs: number) {
    this.#minMs = minMs;
    this.#maxMs = maxMs;
    this.#stableMs = stableMs;
    this.#nextMs = minMs;
  }

  /** The pause after a run of this length, in milliseconds. */
  next(ranForMs: number): number {
    const pauseMs = ranForMs >= this.#stableMs ? this.#minMs : this.#nextMs;
    this.#nextMs = Math.min(this.#maxMs, pauseMs * 2);
    return pauseMs;
  }
}
