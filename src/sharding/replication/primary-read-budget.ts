import { GatewayError } from '../../common/gateway-error.js';

/** How much of a primary reads may take that no replica can answer. */
export interface PrimaryReadLimits {
  /** How many run at once; at least 1. */
  readonly concurrency: number;
  /** How many may wait beyond those. */
  readonly queueMax: number;
  /** How long one waits at most. */
  readonly waitMs: number;
}

interface Waiter {
  readonly admit: () => void;
}

/**
 * Protects one primary from the reads of its replicas: when these are out, reads come to it, but only so many
 * at once, so that writes still find a connection. The rest wait their turn, first come, first served.
 */
export class PrimaryReadBudget {
  readonly #limits: PrimaryReadLimits;
  /** In order of arrival; a Set forgets from the middle as cheaply as from the front. */
  readonly #waiting = new Set<Waiter>();
  #running = 0;

  constructor(limits: PrimaryReadLimits) {
    this.#limits = limits;
  }

  /** Reads that run now, and that wait. */
  get use(): { readonly running: number; readonly waiting: number } {
    return { running: this.#running, waiting: this.#waiting.size };
  }

  /**
   * Runs a read when it is its turn.
   *
   * @throws GatewayError `overloaded` when too many wait already, or its turn did not come in time
   */
  async run<T>(read: () => Promise<T>): Promise<T> {
    if (this.#running < this.#limits.concurrency) this.#running += 1;
    else await this.#turn();
    try {
      return await read();
    } finally {
      this.#leave();
    }
  }

  #turn(): Promise<void> {
    const { queueMax, waitMs } = this.#limits;
    if (this.#waiting.size >= queueMax) {
      return Promise.reject(overloaded('too many reads wait for the primary already'));
    }
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting.delete(waiter);
        reject(overloaded(`the read's turn on the primary did not come within ${waitMs} ms`));
      }, waitMs);
      const waiter: Waiter = {
        admit: () => {
          clearTimeout(timer);
          resolve();
        },
      };
      this.#waiting.add(waiter);
    });
  }

  /** Hands the place on, so that nobody who comes later gets in between. */
  #leave(): void {
    for (const next of this.#waiting) {
      this.#waiting.delete(next);
      next.admit();
      return;
    }
    this.#running -= 1;
  }
}

function overloaded(why: string): GatewayError {
  return new GatewayError('overloaded', `No replica can answer, and ${why}; try again shortly.`, {
    retryAfterSeconds: 1,
  });
}
