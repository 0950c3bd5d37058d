import { EventEmitter } from 'node:events';
import type { Duplex } from 'node:stream';
import type pg from 'pg';
import type { RawRow } from './prepared-statement.js';
import { readFields } from './row-fields.js';

/** A message of the server: one byte that says its kind, then its length, which counts itself. */
const KIND_BYTES = 1;
const LENGTH_BYTES = 4;
const HEADER_BYTES = KIND_BYTES + LENGTH_BYTES;

/** The kind of a message that is a row. */
const DATA_ROW = 'D'.charCodeAt(0);

/** Who takes the rows of a connection past the driver. */
const takers = new WeakMap<pg.Connection, (row: RawRow) => void>();

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
    const messages = new WholeMessages((bytes) => {
      handOn(bytes, connection, others);
    });
    stream.on('data', (chunk: Buffer) => {
      messages.add(chunk);
    });
  };
}

/**
 * Has the rows of a connection go past the driver, to one who knows that they are his, until told otherwise.
 * The driver looks up for each row whose it is.
 */
export function takeRows(connection: pg.Connection, take: ((row: RawRow) => void) | undefined): void {
  if (take === undefined) takers.delete(connection);
  else takers.set(connection, take);
}

/** Rows to whom they belong, runs of other messages to the driver, in their order. */
function handOn(bytes: Buffer, connection: pg.Connection, others: EventEmitter): void {
  let take = takers.get(connection);
  let othersStart = 0;
  let next: number;
  for (let start = 0; start < bytes.length; start = next) {
    next = endOfMessage(bytes, start);
    if (bytes[start] !== DATA_ROW) continue;
    if (othersStart < start) {
      others.emit('data', bytes.subarray(othersStart, start));
      take = takers.get(connection);
    }
    const fields = readFields(bytes, start + HEADER_BYTES, next);
    if (take === undefined) connection.emit('dataRow', { name: 'dataRow', fields });
    else take(fields);
    othersStart = next;
  }
  if (othersStart < bytes.length) others.emit('data', bytes.subarray(othersStart));
}

/** Finds the messages in a stream of chunks, whose bounds are anywhere. */
class WholeMessages {
  readonly #handOn: (messages: Buffer) => void;
  /** The parts of a message whose end has not come yet. */
  #parts: Buffer[] = [];
  #partsBytes = 0;
  /** How many of its bytes are known to be needed: the header, which says the length, or all. */
  #neededBytes = 0;

  /** @param handOn is given whole messages, one or more */
  constructor(handOn: (messages: Buffer) => void) {
    this.#handOn = handOn;
  }

  add(chunk: Buffer): void {
    let rest = chunk;
    // Only the message that is cut in two is put together, and a long one once, not with every chunk of it.
    while (this.#partsBytes > 0) {
      const missing = this.#neededBytes - this.#partsBytes;
      this.#keep(rest.subarray(0, missing));
      if (rest.length < missing) return;
      rest = rest.subarray(missing);
      const message = Buffer.concat(this.#parts, this.#partsBytes);
      this.#neededBytes = endOfMessage(message, 0);
      if (this.#neededBytes > this.#partsBytes) {
        this.#parts = [message];
        continue;
      }
      this.#parts = [];
      this.#partsBytes = 0;
      this.#handOn(message);
    }
    const end = endOfLastWhole(rest);
    if (end > 0) this.#handOn(end === rest.length ? rest : rest.subarray(0, end));
    if (end === rest.length) return;
    this.#neededBytes = Math.max(HEADER_BYTES, endOfMessage(rest, end) - end);
    this.#keep(rest.subarray(end));
  }

  #keep(part: Buffer): void {
    this.#parts.push(part);
    this.#partsBytes += part.length;
  }
}

/** Where the last message ends that is there to its end. */
function endOfLastWhole(bytes: Buffer): number {
  let end = 0;
  for (let next = endOfMessage(bytes, 0); next <= bytes.length; next = endOfMessage(bytes, end)) end = next;
  return end;
}

/** Where the message ends that begins here; behind everything while its header is not whole. */
function endOfMessage(bytes: Buffer, start: number): number {
  if (bytes.length < start + HEADER_BYTES) return start + HEADER_BYTES;
  return start + KIND_BYTES + bytes.readUInt32BE(start + KIND_BYTES);
}
