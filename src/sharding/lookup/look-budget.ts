import { GatewayError } from '../../common/gateway-error.js';

const LOOKS_MAX = 1_000;
const PAUSE_MS_MIN = 5;
const PAUSE_MS_MAX = 250;

/** How often and how long one creation may look at a value that somebody else has claimed. */
export class LookBudget {
  readonly #now: () => number;
  readonly #deadlineAtMs: number;
  #looks = 0;
  #pauseMs = PAUSE_MS_MIN;

  /** @param now a clock in milliseconds; only differences of it count */
  constructor(deadlineMs: number, now: () => number) {
    this.#now = now;
    this.#deadlineAtMs = now() + deadlineMs;
  }

  /** Milliseconds that are left; 0 when none are. */
  get remainingMs(): number {
    return Math.max(0, this.#deadlineAtMs - this.#now());
  }

  /** Counts one look. @throws GatewayError `overloaded` when there were too many, or the time is up */
  spendLook(): void {
    this.#looks += 1;
    if (this.#looks > LOOKS_MAX || this.remainingMs === 0) throw stillInTheWorks();
  }

  /** How long to pause before the next look: longer each time, and never beyond the deadline or `atMostMs`. */
  nextPauseMs(atMostMs: number): number {
    const pauseMs = Math.min(this.#pauseMs, Math.max(1, atMostMs), this.remainingMs);
    this.#pauseMs = Math.min(this.#pauseMs * 2, PAUSE_MS_MAX);
    return pauseMs;
  }
}

/** What to throw when other creations of the same value come to no end. */
export function stillInTheWorks(): GatewayError {
  return new GatewayError(
    'overloaded',
    'Another creation with the same value has not come to an end; try again shortly.',
    { retryAfterSeconds: 1 },
  );
}
