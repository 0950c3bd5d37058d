import { AsyncLocalStorage } from 'node:async_hooks';
import { randomUUID } from 'node:crypto';
import { settledWithin } from '../../common/settled-within.js';
import type { BusMessage } from './bus-message.js';
import { condensed } from './notice-buffer.js';
import { OwnStream, type BusTransport } from './own-stream.js';
import { PayloadFormat } from './payload-format.js';
import { PeerStreams } from './peer-streams.js';
import type { WriteNotice } from './write-notice.js';

export type { BusTransport } from './own-stream.js';
export type { WriteNotice } from './write-notice.js';

/** Who hears what the bus learns. None of these may throw. */
export interface ShardBusHooks {
  /** Another process wrote this. Never called for this process's own notices. The same can come twice. */
  onNotice(notice: WriteNotice): void;
  /** Notices may have been lost: anything on this shard may have changed. */
  onGap(): void;
}

/** How the bus works. All processes on a shard must use the same times and the same secret. */
export interface ShardBusOptions {
  /** At most 64 characters; never that of any other process, nor of this one's earlier lives. Default: random. */
  readonly processId: string;
  /** How long notices are gathered before they are sent, in milliseconds. Default 3. */
  readonly batchMs: number;
  /** How often a heartbeat is sent, in milliseconds. Default 500. */
  readonly heartbeatMs: number;
  /** How old the last heartbeat that came back may be for announcing to be relied on, in milliseconds. Default 1,000. */
  readonly echoMs: number;
  /** How long others may be silent, and how old what is heard may be, in milliseconds. Default 1,500. */
  readonly silenceMs: number;
  /** Milliseconds of a clock that never goes back. Default: that of `performance`. */
  readonly now: () => number;
  /**
   * Seals payloads, so that only who has it reads them or is believed. Without it everybody with a login to the
   * shard reads who wrote which rows. Default: undefined, for channels that nobody else can listen to.
   */
  readonly secret: string | undefined;
}

/**
 * On which processes tell each other what they wrote on one shard. Each sends numbered messages and heartbeats,
 * by which the others know when something is missing. It trusts clocks and its own heartbeats, not timers: a
 * process that stood still knows nothing until it has read what came meanwhile.
 */
export class ShardBus {
  readonly #hooks: ShardBusHooks;
  readonly #options: ShardBusOptions;
  readonly #format: PayloadFormat;
  readonly #own: OwnStream;
  readonly #peers: PeerStreams;
  /** Timers and what follows from them must not carry the scope of whoever happened to write. */
  readonly #outsideOfScopes = AsyncLocalStorage.snapshot();
  #isClosed = false;
  #heartbeatTimer: NodeJS.Timeout | undefined;
  /** From then on every process that announces its writes has been heard of; undefined when all have. */
  #settlesAtMs: number | undefined = Infinity;
  #heardUntilMs = -Infinity;
  #announcingUntilMs = -Infinity;
  /** The own stream whose heartbeat came back last. */
  #announcingOn = 0;

  constructor(transport: BusTransport, hooks: ShardBusHooks, options: Partial<ShardBusOptions> = {}) {
    this.#hooks = hooks;
    this.#options = {
      processId: randomUUID(),
      batchMs: 3,
      heartbeatMs: 500,
      echoMs: 1_000,
      silenceMs: 1_500,
      now: () => performance.now(),
      secret: undefined,
      ...options,
    };
    const { processId, secret, batchMs, silenceMs, heartbeatMs } = this.#options;
    this.#format = new PayloadFormat(processId, secret);
    this.#own = new OwnStream(transport, this.#format, batchMs);
    this.#peers = new PeerStreams(silenceMs, heartbeatMs);
  }

  /**
   * Whether what others wrote is heard of in time: all that was sent up to `silenceMs` ago has been read, and
   * whoever sent it was alive since. Entries must not be served while false. One comparison of clocks.
   */
  get isHeard(): boolean {
    return this.isHeardAt(this.#options.now());
  }

  /** The same, for who has just looked at the clock. */
  isHeardAt(nowMs: number): boolean {
    return nowMs <= this.#heardUntilMs;
  }

  /**
   * Whether announcing works: a heartbeat that was sent within `echoMs` came back. While false, writes must
   * carry their notices in their own transactions: see {@link noticePayloads}.
   */
  get isAnnouncing(): boolean {
    return this.#announcingOn === this.#own.incarnation && this.#options.now() <= this.#announcingUntilMs;
  }

  /**
   * The transport listens, for the first time or again. Calls `onGap`: what was sent before was not heard; and
   * once more before `isHeard` becomes true, which takes as long as a silence: by then whoever may announce
   * beside its transactions, and whoever could have died over it, has had a heartbeat on the channel.
   */
  listening(): void {
    if (this.#isClosed) return;
    this.#own.open();
    this.#hooks.onGap();
    this.#settlesAtMs = this.#options.now() + this.#options.silenceMs;
    this.#outsideOfScopes(() => {
      clearInterval(this.#heartbeatTimer);
      this.#heartbeatTimer = setInterval(() => {
        this.#beat();
      }, this.#options.heartbeatMs).unref();
      this.#beat();
    });
  }

  /** The transport's connection is gone. What is announced is kept, and sent when it listens again. */
  lost(): void {
    this.#own.interrupt();
    clearInterval(this.#heartbeatTimer);
  }

  /** A payload came on the channel, of whichever process, this one included. Never throws, whatever it is. */
  received(payload: string): void {
    if (this.#isClosed) return;
    const message = this.#format.read(payload);
    if (message === undefined) this.#hooks.onGap();
    else if (message.processId === this.#options.processId) this.#receiveOwn(message);
    else this.#receiveOthers(message);
  }

  /**
   * Tells the others of a committed write; sent in batches after `batchMs`. What cannot be sent is kept, merged
   * into less exact notices where there is much of it, until it can. Not to be called after {@link close}.
   */
  announce(notice: WriteNotice): void {
    this.#outsideOfScopes(() => {
      this.#own.announce(notice);
    });
  }

  /**
   * The payloads with which a transaction announces its own writes through pg_notify before its COMMIT, while
   * the bus does not. They carry no sequence number: they arrive exactly when the commit does. Others hear of
   * them without a position.
   */
  noticePayloads(notice: Omit<WriteNotice, 'position'>): readonly string[] {
    return this.#format.payloadsOf(condensed({ ...notice, position: undefined }), () => undefined);
  }

  /**
   * Sends what is left, says goodbye and stops timers; waits for `echoMs` at most and never rejects. The
   * transport must be closed afterwards, not before.
   */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#heardUntilMs = -Infinity;
    this.#announcingUntilMs = -Infinity;
    clearInterval(this.#heartbeatTimer);
    await settledWithin(this.#own.end(), this.#options.echoMs);
    this.#own.interrupt();
  }

  #beat(): void {
    // Rounded down: it must not seem younger than it is.
    this.#own.beat(Math.floor(this.#options.now()));
  }

  #receiveOwn({ place, content }: BusMessage): void {
    if (content.kind !== 'heartbeat' || place?.incarnation !== this.#own.incarnation) return;
    const { sentMs } = content;
    this.#announcingOn = place.incarnation;
    this.#announcingUntilMs = sentMs + this.#options.echoMs;
    const isAnySilent = this.#peers.readUpTo(sentMs);
    const settles = this.#settlesAtMs !== undefined && sentMs >= this.#settlesAtMs;
    if (settles) this.#settlesAtMs = undefined;
    if (isAnySilent || settles) this.#hooks.onGap();
    this.#hearAnew();
  }

  #receiveOthers({ processId, place, content }: BusMessage): void {
    if (place !== undefined) {
      const isMissing = this.#peers.hear(processId, place, content.kind, this.#options.now());
      if (isMissing) this.#hooks.onGap();
      this.#hearAnew();
    }
    if (content.kind === 'everything') this.#hooks.onGap();
    if (content.kind !== 'writes') return;
    for (const notice of content.notices) this.#hooks.onNotice(notice);
  }

  #hearAnew(): void {
    if (this.#settlesAtMs !== undefined) return;
    this.#heardUntilMs = this.#peers.provenMs + this.#options.silenceMs;
  }
}
