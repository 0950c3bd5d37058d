import { setTimeout as sleep } from 'node:timers/promises';
import { CatalogUnavailableError, GatewayError } from '../common/gateway-error.js';
import type { Log } from '../common/log.js';
import { settledWithin } from '../common/settled-within.js';

const RETRY_MS_MIN = 250;
const RETRY_MS_MAX = 5_000;

/** Seconds after which a caller may try again where a person has to correct something first. */
const REPAIR_SECONDS = 5;

/**
 * What a gateway has to do with its catalog before it can serve. While the catalog is away the gateway goes on
 * without it, and this is tried again until it is done: neither the catalog's return nor a repair of what is
 * wrong with it needs a restart.
 */
export class CatalogStart {
  /** Resolves once it is done; stays open where that never happens. */
  readonly done: Promise<void>;
  readonly #steps: (signal: AbortSignal) => Promise<void>;
  readonly #log: Log;
  readonly #stopping = new AbortController();
  #resolveDone: () => void = () => undefined;
  #isDone = false;
  #fault: Error | undefined;

  /** @param steps must be safe to run again from the beginning, wherever it failed before */
  constructor(steps: (signal: AbortSignal) => Promise<void>, log: Log) {
    this.#steps = steps;
    this.#log = log;
    this.done = new Promise((resolve) => {
      this.#resolveDone = resolve;
    });
  }

  /** Whether it is done. */
  get isDone(): boolean {
    return this.#isDone;
  }

  /** Why it is not done yet; undefined when it is. */
  get reason(): string | undefined {
    return this.#isDone ? undefined : this.#refusal().message;
  }

  /** @throws GatewayError `catalog_unavailable` with the reason, until it is done */
  assertDone(): void {
    if (!this.#isDone) throw this.#refusal();
  }

  /**
   * Tries once; if the catalog is away, or has not answered within `patienceMs`, goes on in the background.
   *
   * @throws what the first attempt found to be wrong, other than that the catalog is away
   */
  async begin(patienceMs: number): Promise<void> {
    const first = this.#attempt();
    const fault = (await settledWithin(first, patienceMs)) ? await first : undefined;
    if (this.#isDone) return;
    if (fault !== undefined && !isAway(fault)) throw fault;
    this.#log.warn({}, 'the catalog is away; the gateway starts without it and goes on trying to reach it');
    void this.#goOn(first);
  }

  /** Ends the attempts. */
  stop(): void {
    this.#stopping.abort();
  }

  async #goOn(first: Promise<Error | undefined>): Promise<void> {
    let fault = await first;
    for (let pauseMs = RETRY_MS_MIN; fault !== undefined; pauseMs = Math.min(pauseMs * 2, RETRY_MS_MAX)) {
      this.#tellOf(fault);
      const stopped = sleep(pauseMs, false, { ref: false, signal: this.#stopping.signal }).catch(() => true);
      if (await stopped) return;
      fault = await this.#attempt();
    }
  }

  /** @returns why it failed; undefined when it is done */
  async #attempt(): Promise<Error | undefined> {
    try {
      await this.#steps(this.#stopping.signal);
      this.#isDone = true;
      this.#resolveDone();
      return undefined;
    } catch (error) {
      this.#fault = error instanceof Error ? error : new Error('The start failed.', { cause: error });
      return this.#fault;
    }
  }

  #tellOf(fault: Error): void {
    if (isAway(fault)) this.#log.debug({}, 'the catalog is still away');
    else this.#log.error({ reason: this.reason }, 'the catalog cannot be used; it is tried again');
  }

  #refusal(): GatewayError {
    const fault = this.#fault;
    if (fault === undefined || isAway(fault)) return new CatalogUnavailableError(fault);
    const reason = fault instanceof GatewayError ? fault.message : 'It refuses a statement of the gateway.';
    return new GatewayError('catalog_unavailable', `The catalog cannot be used yet: ${reason}`, {
      cause: fault,
      retryAfterSeconds: REPAIR_SECONDS,
    });
  }
}

/** 503 is what a retry alone can help. */
function isAway(fault: Error): boolean {
  return fault instanceof GatewayError && fault.status === 503;
}
