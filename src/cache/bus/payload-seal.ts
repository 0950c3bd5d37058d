import { createCipheriv, createDecipheriv, createHmac, randomBytes } from 'node:crypto';

const ALGORITHM = 'aes-256-gcm';
const SALT_BYTES = 16;
const TAG_BYTES = 16;

/** Each payload has a key of its own, which is used once: so the nonce need not differ. */
const NONCE = Buffer.alloc(12);

/**
 * What keeps payloads to those who have the secret: everybody with a login to the database can listen on
 * any channel, and send on it. A payload is salt, tag and AES-256-GCM's text, in base64.
 */
export class PayloadSeal {
  readonly #secret: string;

  constructor(secret: string) {
    this.#secret = secret;
  }

  /** Bytes of plain text whose sealed payload has at most this many bytes. */
  static plainBytes(payloadBytes: number): number {
    return Math.floor(payloadBytes / 4) * 3 - SALT_BYTES - TAG_BYTES;
  }

  seal(text: string): string {
    const salt = randomBytes(SALT_BYTES);
    const cipher = createCipheriv(ALGORITHM, this.#keyOf(salt), NONCE);
    const sealed = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()]);
    return Buffer.concat([salt, cipher.getAuthTag(), sealed]).toString('base64');
  }

  /** The text; undefined when it was not sealed with this secret, or is not what was sealed. */
  open(payload: string): string | undefined {
    const bytes = Buffer.from(payload, 'base64');
    const textAt = SALT_BYTES + TAG_BYTES;
    if (bytes.length < textAt) return undefined;
    const decipher = createDecipheriv(ALGORITHM, this.#keyOf(bytes.subarray(0, SALT_BYTES)), NONCE);
    decipher.setAuthTag(bytes.subarray(SALT_BYTES, textAt));
    try {
      return Buffer.concat([decipher.update(bytes.subarray(textAt)), decipher.final()]).toString('utf8');
    } catch {
      return undefined;
    }
  }

  #keyOf(salt: Buffer): Buffer {
    return createHmac('sha256', this.#secret).update('shardgate cache bus 1\n').update(salt).digest();
  }
}
