const OPEN_MIN_MS = 250;
const OPEN_MAX_MS = 10_000;

/**
 * Keeps reads away from a replica that fails under them although the background poll reaches it.
 *
 * Closed until so many reads in a row failed; then open, for 250 ms at first and twice as long each time, up
 * to 10 s. After that a poll that the replica answers half-opens it: reads go there again, one failure opens
 * it anew, one success closes it. The poll is the test, not a caller's read, because it comes by itself and
 * costs nobody an answer. Our own, because the libraries for it wrap each call in a promise, and what is
 * needed here is a decision beside the read, without a clock.
 */
export class CircuitBreaker {
  readonly #failuresToOpen: number;
  #state: 'closed' | 'open' | 'half-open' = 'closed';
  #failures = 0;
  /** How often it opened since a read last succeeded. */
  #openings = 0;
  #openUntilMs = 0;

  constructor(failuresToOpen: number) {
    this.#failuresToOpen = failuresToOpen;
  }

  /** Whether reads must stay away. */
  get isOpen(): boolean {
    return this.#state === 'open';
  }

  /** A read failed. While it is open, that is a straggler and changes nothing. */
  noteFailure(nowMs: number): void {
    if (this.#state === 'open') return;
    this.#failures += 1;
    if (this.#state === 'closed' && this.#failures < this.#failuresToOpen) return;
    this.#state = 'open';
    this.#openUntilMs = nowMs + Math.min(OPEN_MAX_MS, OPEN_MIN_MS * 2 ** this.#openings);
    this.#openings += 1;
    this.#failures = 0;
  }

  /** A read succeeded. While it is open, that is one from before and changes nothing. */
  noteSuccess(): void {
    if (this.#state === 'open') return;
    this.#state = 'closed';
    this.#failures = 0;
    this.#openings = 0;
  }

  /** The poll was answered. */
  noteAnswer(nowMs: number): void {
    if (this.#state === 'open' && nowMs >= this.#openUntilMs) this.#state = 'half-open';
  }
}
