import { contentText, messageText, readMessage, type BusContent, type BusMessage } from './bus-message.js';
import type { StreamPlace } from './bus-message.js';
import { PayloadSeal } from './payload-seal.js';
import type { GatheredWrites } from './write-notice.js';
import { writesTexts } from './writes-text.js';

/** PostgreSQL refuses payloads of 8,000 bytes. */
const PAYLOAD_BYTES_MAX = 7_999;

/** Longer than any that there will be. */
const LONGEST_PLACE: StreamPlace = { incarnation: Number.MAX_SAFE_INTEGER, number: Number.MAX_SAFE_INTEGER };

/** Writes and reads the payloads of one process, sealed if there is a secret. */
export class PayloadFormat {
  readonly #processId: string;
  readonly #seal: PayloadSeal | undefined;
  readonly #writesBytesMax: number;

  constructor(processId: string, secret: string | undefined) {
    this.#processId = processId;
    this.#seal = secret === undefined ? undefined : new PayloadSeal(secret);
    const bytesMax = secret === undefined ? PAYLOAD_BYTES_MAX : PayloadSeal.plainBytes(PAYLOAD_BYTES_MAX);
    this.#writesBytesMax = bytesMax - Buffer.byteLength(messageText(processId, LONGEST_PLACE, ''));
  }

  /** One payload of anything but writes. */
  payload(place: StreamPlace, content: Exclude<BusContent, { kind: 'writes' }>): string {
    return this.#sealed(messageText(this.#processId, place, contentText(content)));
  }

  /** Payloads that together cover the writes, each under 8,000 bytes. */
  payloadsOf(writes: GatheredWrites, nextPlace: () => StreamPlace | undefined): string[] {
    return writesTexts(writes, this.#writesBytesMax).map((content) =>
      this.#sealed(messageText(this.#processId, nextPlace(), content)),
    );
  }

  /** @returns undefined for what nobody with this secret wrote, or not in this version; never throws */
  read(payload: string): BusMessage | undefined {
    const text = this.#seal === undefined ? payload : this.#seal.open(payload);
    return text === undefined ? undefined : readMessage(text);
  }

  #sealed(text: string): string {
    return this.#seal?.seal(text) ?? text;
  }
}
