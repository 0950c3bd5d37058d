import type { EntityManager } from 'typeorm';
import { mayHaveBeenKept } from './claim-decision.js';
import { ClaimLostError } from './claim-lost-error.js';

/** How an attempt to make a row ended, as far as can be known. */
export type CreationEnd<T> =
  | { readonly kind: 'created'; readonly answer: T }
  /** It ended well, but made no row: its outcome was never recorded. */
  | { readonly kind: 'nothing-made'; readonly answer: T }
  /** Nothing was kept, because the claim had been settled as abandoned. */
  | { readonly kind: 'claim-lost' }
  | { readonly kind: 'refused'; readonly error: unknown }
  /** The row may exist or not; only its home shard knows. */
  | { readonly kind: 'unknown'; readonly error: unknown };

/** Runs a caller's creation of one row once, and watches what becomes of the record of its outcome. */
export class CreationAttempt {
  readonly #record: (manager: EntityManager) => Promise<void>;
  #recording = false;
  #lost = false;
  #over = false;

  /** @param record writes the outcome into the row's transaction */
  constructor(record: (manager: EntityManager) => Promise<void>) {
    this.#record = record;
  }

  /** Never rejects. */
  async run<T>(
    create: (recordOutcome: (manager: EntityManager) => Promise<void>) => Promise<T>,
  ): Promise<CreationEnd<T>> {
    try {
      const answer = await create((manager) => this.#recordOutcome(manager));
      if (this.#lost) return { kind: 'claim-lost' };
      return { kind: this.#recording ? 'created' : 'nothing-made', answer };
    } catch (error) {
      if (this.#lost) return { kind: 'claim-lost' };
      // A row is never kept without the record of its outcome, so whatever failed before it kept nothing.
      const kept = this.#recording && mayHaveBeenKept(error);
      return { kind: kept ? 'unknown' : 'refused', error };
    } finally {
      this.#over = true;
    }
  }

  async #recordOutcome(manager: EntityManager): Promise<void> {
    // The caller had given up already: its claim may be released, so its row must not be kept any more.
    if (this.#over) throw new ClaimLostError();
    this.#recording = true;
    try {
      await this.#record(manager);
    } catch (error) {
      this.#lost = error instanceof ClaimLostError;
      throw error;
    }
  }
}
