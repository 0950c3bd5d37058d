import { ValidationError } from '../../common/gateway-error.js';
import { BUCKET_COUNT, noSuchBucket } from './bucket.js';

/** UUID version 8: 48 bits of milliseconds, version, 12 bits of bucket, variant, 62 random bits. */
const GATEWAY_ID = /^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/i;

const VERSION_8 = 0x8000;
const BUCKET_START = 15;
const BUCKET_END = 18;
const MAX_TIME_MS = 2 ** 48 - 1;

/** How many random bytes one id takes; the two highest bits are overwritten by the variant. */
export const RANDOM_BYTES_PER_ID = 8;

/** An id in the one spelling that is stored and compared, and the bucket it routes to. */
export interface ParsedId {
  /** Lower case. */
  readonly id: string;
  readonly bucket: number;
}

/**
 * Builds the id of a new row. Ids sort by their millisecond; within one millisecond by bucket and then at
 * random, also when one process mints them.
 *
 * @param nowMs milliseconds since 1970
 * @param random {@link RANDOM_BYTES_PER_ID} bytes from a cryptographic source
 * @throws ValidationError when the bucket or the time is out of range
 */
export function mintId(bucket: number, nowMs: number, random: Uint8Array): string {
  if (!Number.isInteger(bucket) || bucket < 0 || bucket >= BUCKET_COUNT) throw noSuchBucket();
  if (!Number.isInteger(nowMs) || nowMs < 0 || nowMs > MAX_TIME_MS) {
    throw new ValidationError([{ path: 'nowMs', message: 'must be whole milliseconds since 1970' }]);
  }
  const time = nowMs.toString(16).padStart(12, '0');
  const tail = Buffer.from(random.subarray(0, RANDOM_BYTES_PER_ID));
  tail.writeUInt8((tail.readUInt8(0) & 0x3f) | 0x80, 0);
  const randomHex = tail.toString('hex');
  return (
    `${time.slice(0, 8)}-${time.slice(8)}-${(VERSION_8 | bucket).toString(16)}-` +
    `${randomHex.slice(0, 4)}-${randomHex.slice(4)}`
  );
}

/**
 * Whether `id` has the form of an id minted by a gateway, in either case of letters. The form is all that
 * can be told: somebody else's version 8 UUID looks the same.
 */
export function isGatewayId(id: string): boolean {
  return GATEWAY_ID.test(id);
}

/**
 * Reads an id that came from outside. Upper case is accepted, as PostgreSQL's `uuid` does, and made lower
 * case, so that the id may be compared and used as a key.
 *
 * @throws ValidationError when it is not an id of a gateway
 */
export function parseId(id: string): ParsedId {
  if (!isGatewayId(id)) {
    throw new ValidationError([{ path: 'id', message: 'must be an id that this gateway gave out' }]);
  }
  return { id: id.toLowerCase(), bucket: Number.parseInt(id.slice(BUCKET_START, BUCKET_END), 16) };
}

/** The bucket that an id carries. @throws ValidationError when it is not an id of a gateway */
export function bucketOfId(id: string): number {
  return parseId(id).bucket;
}
