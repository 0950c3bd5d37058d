import xxhash, { type XXHashAPI } from 'xxhash-wasm';
import { ValidationError } from '../../common/gateway-error.js';

/** How many buckets there are. Fixed for ever: ids and rows carry bucket numbers. */
export const BUCKET_COUNT = 4096;

const BUCKET_MASK = BigInt(BUCKET_COUNT - 1);

/** Between the parts of what is hashed. No id or index name contains it, so no two keys read the same. */
const SEPARATOR = '\0';

/** What to throw for a number that is no bucket's. */
export function noSuchBucket(): ValidationError {
  return new ValidationError([
    { path: 'bucket', message: `must be a whole number from 0 to ${BUCKET_COUNT - 1}` },
  ]);
}

/**
 * Tells which bucket a user's rows, or a lookup entry, belong to: xxh64 with seed 0 over UTF-8, modulo
 * {@link BUCKET_COUNT}. The answer is the same in every process and release; `docs/routing-vectors.json`
 * holds it to that.
 */
export class BucketHasher {
  readonly #xxhash: XXHashAPI;

  private constructor(api: XXHashAPI) {
    this.#xxhash = api;
  }

  /** Compiles the hash function's WebAssembly, which cannot be done synchronously. */
  static async create(): Promise<BucketHasher> {
    return new BucketHasher(await xxhash());
  }

  /** The bucket of all rows that this user owns. */
  bucketOf(tenantId: string, userId: string): number {
    return this.#bucket(tenantId + SEPARATOR + userId);
  }

  /**
   * The bucket of the entry that keeps `value` unique within a tenant.
   *
   * @param index name of the lookup index, such as `account_number`
   */
  bucketOfValue(tenantId: string, index: string, value: string): number {
    return this.#bucket(tenantId + SEPARATOR + index + SEPARATOR + value);
  }

  #bucket(key: string): number {
    return Number(this.#xxhash.h64(key) & BUCKET_MASK);
  }
}
