import type { BusMessage, StreamPlace } from './bus-message.js';

/** Streams that are followed; whoever floods the channel with made-up ones fills no memory. */
const STREAMS_MAX = 1_000;

/** What is known of the stream of another process. All times are by this process's clock. */
interface Peer {
  incarnation: number;
  /** Of the last message heard. */
  number: number;
  /** When a message was read last. */
  heardMs: number;
  /** It was alive then for certain: what was read last had been sent later. */
  provenMs: number;
  /** Own heartbeats that came back since. */
  beatsSince: number;
}

/**
 * Follows what other processes send, to know when something of it may be missing: a number left out, a stream
 * whose beginning was not heard, or one that ended without goodbye.
 *
 * Messages are read in the order in which their transactions committed. So when an own heartbeat comes back,
 * all that was sent before it has been read, and what is read afterwards was sent after it. That holds
 * however long this process stood still or the network held messages back, which the time of reading does not.
 */
export class PeerStreams {
  readonly #silenceMs: number;
  readonly #silentBeats: number;
  readonly #peers = new Map<string, Peer>();
  #readUpToMs = -Infinity;
  #provenMs = -Infinity;

  /**
   * @param silenceMs how long a stream may be silent
   * @param heartbeatMs how often every stream has a heartbeat
   */
  constructor(silenceMs: number, heartbeatMs: number) {
    this.#silenceMs = silenceMs;
    this.#silentBeats = Math.ceil(silenceMs / heartbeatMs);
  }

  /** At this time every process that was heard of was alive, and what they had sent before has been read. */
  get provenMs(): number {
    return this.#provenMs;
  }

  /** Takes note of a message. @returns whether one before it may have been missed */
  hear(processId: string, place: StreamPlace, kind: BusMessage['content']['kind'], nowMs: number): boolean {
    const known = this.#peers.get(processId);
    // The server can be late with what was sent on a connection that has been replaced since.
    if (known !== undefined && place.incarnation < known.incarnation) return false;
    const heard = known?.incarnation === place.incarnation ? known.number : 0;
    const isNumbered = kind === 'writes' || kind === 'everything';
    const isMissing = place.number > heard + (isNumbered ? 1 : 0);
    if (kind === 'goodbye') {
      this.#peers.delete(processId);
    } else if (known !== undefined || this.#peers.size < STREAMS_MAX) {
      this.#peers.set(processId, {
        incarnation: place.incarnation,
        number: Math.max(heard, place.number),
        heardMs: nowMs,
        provenMs: this.#readUpToMs,
        beatsSince: 0,
      });
    } else {
      return true;
    }
    if (known?.provenMs !== this.#readUpToMs) this.#prove();
    return isMissing;
  }

  /**
   * Takes note that the own heartbeat of that time came back, and forgets streams that are silent. One is so
   * when as many heartbeats of its have failed to come as make up the time: after a standstill of this process
   * the others are given the time to be heard.
   *
   * @returns whether any was silent: its last messages may be missing
   */
  readUpTo(sentMs: number): boolean {
    this.#readUpToMs = Math.max(this.#readUpToMs, sentMs);
    let isAnySilent = false;
    for (const [processId, peer] of this.#peers) {
      peer.beatsSince += 1;
      if (peer.beatsSince < this.#silentBeats || sentMs - peer.heardMs < this.#silenceMs) continue;
      this.#peers.delete(processId);
      isAnySilent = true;
    }
    this.#prove();
    return isAnySilent;
  }

  #prove(): void {
    this.#provenMs = this.#readUpToMs;
    for (const { provenMs } of this.#peers.values()) this.#provenMs = Math.min(this.#provenMs, provenMs);
  }
}
