import { GatewayError } from '../../../common/gateway-error.js';
import type { LockMode } from '../batches/batch-reads.js';
import type { TransferJob } from '../batches/transfer-job.js';

/** How much of what waits one batch takes. */
const BATCH_MAX = 200;

/** Requests that may wait in one lane. */
const WAITING_MAX = 5_000;

/** How long those that were set aside wait before they are tried again. */
const ASIDE_MS = 50;

/** What a lane needs of those who made it. */
export interface LaneHooks {
  /** Runs one batch. @returns those that somebody else's lock is in the way of; never rejects */
  readonly runBatch: (jobs: readonly TransferJob[], mode: LockMode) => Promise<readonly TransferJob[]>;
  /** Runs `work` when it is this lane's turn. */
  readonly inTurn: (work: () => Promise<void>) => Promise<void>;
  /** Nothing waits any more. */
  readonly onIdle: () => void;
}

/**
 * Requests of one tenant to one shard. While a batch is under way the next one fills; whoever comes while none is
 * waits for nobody but those of the same turn of the event loop. Requests about accounts that somebody holds for
 * long are set aside, and tried again by themselves until their time is over, while the others go on.
 */
export class Lane {
  readonly #hooks: LaneHooks;
  readonly #now: () => number;
  #waiting: TransferJob[] = [];
  #aside: TransferJob[] = [];
  /** Those that were set aside and have not been told yet. */
  readonly #held = new Set<TransferJob>();
  #isWorking = false;
  #again: NodeJS.Timeout | undefined;

  constructor(hooks: LaneHooks, now: () => number = () => performance.now()) {
    this.#hooks = hooks;
    this.#now = now;
  }

  /** Takes a request in. @throws GatewayError `overloaded` when too many wait already */
  add(job: TransferJob): void {
    if (this.#waiting.length + this.#aside.length >= WAITING_MAX) {
      throw new GatewayError('overloaded', 'Too many transfers wait for this shard; try again shortly.', {
        retryAfterSeconds: 1,
      });
    }
    this.#waiting.push(job);
    this.#workSoon();
  }

  #workSoon(): void {
    if (this.#isWorking) return;
    this.#isWorking = true;
    setImmediate(() => void this.#work());
  }

  async #work(): Promise<void> {
    while (this.#waiting.length > 0) await this.#hooks.inTurn(() => this.#runNext());
    this.#isWorking = false;
    if (this.#aside.length === 0) this.#hooks.onIdle();
  }

  /** What waits is taken when its turn has come: more of it may have come until then. */
  async #runNext(): Promise<void> {
    const batch = this.#waiting.splice(0, BATCH_MAX);
    // While something is known to be held, to wait for it would only hold up the others.
    const left = await this.#hooks.runBatch(batch, this.#held.size === 0 ? 'wait' : 'skip');
    for (const job of batch) this.#held.delete(job);
    for (const job of left) {
      if (this.#isOver(job)) continue;
      this.#held.add(job);
      this.#aside.push(job);
    }
    if (this.#aside.length > 0) this.#takeUpLater();
  }

  #isOver({ deadlineMs, reject }: TransferJob): boolean {
    if (this.#now() < deadlineMs) return false;
    reject(
      new GatewayError(
        'overloaded',
        'Another transaction holds an account of this transfer for long; send it again, with its key if it has one.',
        { retryAfterSeconds: 1 },
      ),
    );
    return true;
  }

  #takeUpLater(): void {
    if (this.#again !== undefined) return;
    this.#again = setTimeout(() => {
      this.#again = undefined;
      this.#waiting.push(...this.#aside.splice(0));
      this.#workSoon();
    }, ASIDE_MS);
  }
}
