import { EventEmitter } from 'node:events';
import type { Duplex } from 'node:stream';
import type pg from 'pg';
import { readFields } from './row-fields.js';

/** A message of the server: one byte that says its kind, then its length, which counts itself. */
const KIND_BYTES = 1;
const LENGTH_BYTES = 4;
const HEADER_BYTES = KIND_BYTES + LENGTH_BYTES;

/** The kind of a message that is a row. */
const DATA_ROW = 'D'.charCodeAt(0);

/** What the driver's connection does once it has its stream; its published types leave it out. */
interface Listening {
  attachListeners(stream: EventEmitter): void;
}

/**
 * Reads the rows that come over a connection here, and leaves everything else of the protocol to the
 * driver: reading rows is most of what a gateway's process does. Call it before the connection is made.
 */
export function readRowsHere(connection: pg.Connection): void {
  const listening = connection as pg.Connection & Listening;
  const attachDriver = listening.attachListeners.bind(listening);
  listening.attachListeners = (stream: Duplex) => {
    const others = new EventEmitter();
    attachDriver(others);
    const messages = new WholeMessages();
    stream.on('data', (chunk: Buffer) => {
      const bytes = messages.with(chunk);
      if (bytes !== undefined) handOn(bytes, connection, others);
    });
  };
}

/** Rows to the connection, runs of other messages to the driver, in their order. */
function handOn(bytes: Buffer, connection: pg.Connection, others: EventEmitter): void {
  let othersStart = 0;
  let next: number;
  for (let start = 0; start < bytes.length; start = next) {
    next = endOfMessage(bytes, start);
    if (bytes[start] !== DATA_ROW) continue;
    if (othersStart < start) others.emit('data', bytes.subarray(othersStart, start));
    connection.emit('dataRow', { name: 'dataRow', fields: readFields(bytes, start + HEADER_BYTES, next) });
    othersStart = next;
  }
  if (othersStart < bytes.length) others.emit('data', bytes.subarray(othersStart));
}

/** Puts the chunks of a stream together to whole messages. */
class WholeMessages {
  /** The beginning of a message, whose end has not come yet. */
  #begun: Buffer[] = [];
  #begunBytes = 0;
  /** How many bytes there must be before there is anything new to find. */
  #awaitedBytes = HEADER_BYTES;

  /** As many whole messages as there are now; undefined when there is none. */
  with(chunk: Buffer): Buffer | undefined {
    this.#begunBytes += chunk.length;
    this.#begun.push(chunk);
    // A large message comes in thousands of chunks; they are joined once, not with each.
    if (this.#begunBytes < this.#awaitedBytes) return undefined;
    const bytes = this.#begun.length === 1 ? chunk : Buffer.concat(this.#begun, this.#begunBytes);
    let end = 0;
    let next = 0;
    while (next <= bytes.length) {
      end = next;
      next = bytes.length < end + HEADER_BYTES ? end + HEADER_BYTES : endOfMessage(bytes, end);
    }
    this.#begun = end === bytes.length ? [] : [bytes.subarray(end)];
    this.#begunBytes = bytes.length - end;
    this.#awaitedBytes = next - end;
    return end === 0 ? undefined : bytes.subarray(0, end);
  }
}

function endOfMessage(bytes: Buffer, start: number): number {
  return start + KIND_BYTES + bytes.readUInt32BE(start + KIND_BYTES);
}
