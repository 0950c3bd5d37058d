import { randomFillSync } from 'node:crypto';
import { mintId, RANDOM_BYTES_PER_ID } from './gateway-id.js';

const IDS_PER_REFILL = 512;

/** Where a mint takes time and randomness from. */
export interface IdMintSources {
  /** Milliseconds since 1970. Default: `Date.now`. */
  readonly now?: () => number;
  /** Fills the whole buffer with random bytes. Default: Node's cryptographic generator. */
  readonly fillRandom?: (buffer: Uint8Array) => void;
}

/**
 * Mints ids of new rows. Random bytes are drawn for many ids at once, because a call into the system's
 * generator costs more than all the rest.
 */
export class IdMint {
  readonly #now: () => number;
  readonly #fillRandom: (buffer: Uint8Array) => void;
  readonly #pool = new Uint8Array(RANDOM_BYTES_PER_ID * IDS_PER_REFILL);
  #offset = this.#pool.length;

  constructor({ now = Date.now, fillRandom = randomFillSync }: IdMintSources = {}) {
    this.#now = now;
    this.#fillRandom = fillRandom;
  }

  /**
   * A new id for a row of this bucket. Ids of different milliseconds sort in the order they were minted;
   * ids of one millisecond do not.
   *
   * @throws ValidationError when there is no such bucket
   */
  mint(bucket: number): string {
    if (this.#offset === this.#pool.length) {
      this.#fillRandom(this.#pool);
      this.#offset = 0;
    }
    const start = this.#offset;
    this.#offset += RANDOM_BYTES_PER_ID;
    return mintId(bucket, this.#now(), this.#pool.subarray(start, this.#offset));
  }
}
