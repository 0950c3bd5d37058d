import type { StreamPlace } from './bus-message.js';
import { NoticeBuffer } from './notice-buffer.js';
import type { PayloadFormat } from './payload-format.js';
import type { GatheredWrites, WriteNotice } from './write-notice.js';

/** Carries payloads to all processes that listen to the channel, this one included. */
export interface BusTransport {
  /**
   * Sends payloads (each under 8,000 bytes of UTF-8) on the channel, in order and all or none; rejects when it
   * could not be known to have arrived. It settles within seconds.
   */
  send(payloads: readonly string[]): Promise<void>;
}

/** A batch that was sent and is not known to have arrived. */
interface Batch {
  readonly writes: GatheredWrites;
}

/**
 * What this process sends: numbered messages, one batch at a time. Whenever something may not have arrived it
 * begins another stream, in which all that is not known to have arrived is told again.
 */
export class OwnStream {
  readonly #transport: BusTransport;
  readonly #format: PayloadFormat;
  readonly #batchMs: number;
  readonly #buffer = new NoticeBuffer();
  #incarnation = 0;
  #number = 0;
  #isOpen = false;
  #underWay: Batch | undefined;
  #sending: Promise<void> = Promise.resolve();
  /** Sending failed: the next heartbeat is the next attempt. */
  #isHeldBack = false;
  #batchTimer: NodeJS.Timeout | undefined;

  /** @param batchMs how long notices are gathered before they are sent */
  constructor(transport: BusTransport, format: PayloadFormat, batchMs: number) {
    this.#transport = transport;
    this.#format = format;
    this.#batchMs = batchMs;
  }

  /** Which stream it is now. */
  get incarnation(): number {
    return this.#incarnation;
  }

  /** There is a connection to send on, and it is another one than before. */
  open(): void {
    this.#restart();
    this.#isOpen = true;
  }

  /** There is no connection any more: what is announced is kept. */
  interrupt(): void {
    this.#restart();
    this.#isOpen = false;
  }

  /** Sends the notice with those of the next few milliseconds; or later, when it can. */
  announce(notice: WriteNotice): void {
    this.#buffer.add(notice);
    if (!this.#isOpen || this.#isHeldBack || this.#underWay !== undefined) return;
    this.#batchTimer ??= setTimeout(() => {
      this.#flush();
    }, this.#batchMs).unref();
  }

  /** Sends a heartbeat, and what could not be sent before. */
  beat(sentMs: number): void {
    this.#isHeldBack = false;
    void this.#send([this.#format.payload(this.#place, { kind: 'heartbeat', sentMs })]);
    this.#flush();
  }

  /** Sends what is left and a goodbye. Never rejects. */
  async end(): Promise<void> {
    if (!this.#isOpen) return;
    await this.#sending;
    this.#flush();
    await this.#sending;
    // Who could not tell everything leaves without a word: its silence tells the others.
    if (!this.#buffer.isEmpty || this.#underWay !== undefined) return;
    await this.#send([this.#format.payload(this.#place, { kind: 'goodbye' })]);
  }

  get #place(): StreamPlace {
    return { incarnation: this.#incarnation, number: this.#number };
  }

  #flush(): void {
    clearTimeout(this.#batchTimer);
    this.#batchTimer = undefined;
    if (!this.#isOpen || this.#underWay !== undefined || this.#buffer.isEmpty) return;
    this.#sending = this.#sendBatch({ writes: this.#buffer.take() });
  }

  async #sendBatch(batch: Batch): Promise<void> {
    this.#underWay = batch;
    const payloads = this.#format.payloadsOf(batch.writes, () => {
      this.#number += 1;
      return this.#place;
    });
    await this.#send(payloads);
    // Otherwise another stream has begun meanwhile, and its content is in the buffer again.
    if (this.#underWay !== batch) return;
    this.#underWay = undefined;
    this.#flush();
  }

  /** Never rejects. */
  async #send(payloads: readonly string[]): Promise<void> {
    const incarnation = this.#incarnation;
    try {
      await this.#transport.send(payloads);
    } catch {
      if (incarnation !== this.#incarnation) return;
      this.#restart();
      this.#isHeldBack = true;
    }
  }

  #restart(): void {
    this.#incarnation += 1;
    this.#number = 0;
    if (this.#underWay === undefined) return;
    this.#buffer.restore(this.#underWay.writes);
    this.#underWay = undefined;
  }
}
