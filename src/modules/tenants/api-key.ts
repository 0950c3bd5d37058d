import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';

const KEY_ID_LENGTH = 12;
const SECRET_BYTES = 32;
const KEY_ID_ALPHABET = 'abcdefghijklmnopqrstuvwxyz234567';
const KEY_PATTERN = /^sg_([a-z0-9]{12})_([A-Za-z0-9_-]{43})$/;

/** A source of random bytes; the operating system's outside of tests. */
export type RandomBytes = (size: number) => Buffer;

/** A key at the only moment when it is known in clear. */
export interface MintedApiKey {
  /** Names the key in lists and in its revocation; no secret. */
  readonly keyId: string;
  /** `sg_<keyId>_<secret>`, to be shown once and kept nowhere. */
  readonly key: string;
  readonly secretHash: Buffer;
}

/** A well-formed key, taken apart. */
export interface ParsedApiKey {
  readonly keyId: string;
  readonly secretHash: Buffer;
}

/** Makes a key of 256 random bits; `keyId` only where the key must have a known name. */
export function mintApiKey(
  random: RandomBytes = randomBytes,
  keyId: string = randomKeyId(random),
): MintedApiKey {
  const secret = random(SECRET_BYTES).toString('base64url');
  return { keyId, key: `sg_${keyId}_${secret}`, secretHash: hashSecret(secret) };
}

/** Takes a key apart; undefined when it is not of the form of one. */
export function parseApiKey(key: string): ParsedApiKey | undefined {
  const [, keyId, secret] = KEY_PATTERN.exec(key) ?? [];
  if (keyId === undefined || secret === undefined) return undefined;
  return { keyId, secretHash: hashSecret(secret) };
}

/**
 * SHA-256 of a secret. A slow hash would add nothing: there are 256 random bits to guess, not a person's
 * choice of word.
 */
export function hashSecret(secret: string): Buffer {
  return createHash('sha256').update(secret, 'utf8').digest();
}

/** Whether two hashes are equal, in a time that does not depend on where they differ. */
export function isSameHash(a: Buffer, b: Buffer): boolean {
  return a.length === b.length && timingSafeEqual(a, b);
}

/** Five bits of each byte pick a character: 32 characters, so none is likelier than another. */
function randomKeyId(random: RandomBytes): string {
  return [...random(KEY_ID_LENGTH)].map((byte) => KEY_ID_ALPHABET.charAt(byte % 32)).join('');
}
