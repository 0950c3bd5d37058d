import type { TableRows, WrittenRows } from '../table-rows.js';
import type { WriteNotice, WrittenBefore } from './write-notice.js';

/** Another version of this format means something else: it is not understood. */
const VERSION = 1;

const LSN_PATTERN = /^[0-9a-f]{1,16}$/;
const TIMELINE_MAX = 2 ** 32 - 1;

/** Where a message stands in what one process sends on one connection. */
export interface StreamPlace {
  /** Counts the streams of the process. */
  readonly incarnation: number;
  /** Of a heartbeat and a goodbye: the number of the message before it. Others count from 1 on. */
  readonly number: number;
}

/** What a message says. */
export type BusContent =
  /** That the process is alive; when it was sent, by the sender's own clock, in whole milliseconds. */
  | { readonly kind: 'heartbeat'; readonly sentMs: number }
  /** That the stream ends here, with nothing left to tell. */
  | { readonly kind: 'goodbye' }
  /** That anything may have been written. */
  | { readonly kind: 'everything' }
  | { readonly kind: 'writes'; readonly notices: readonly WriteNotice[] };

/** One payload. */
export interface BusMessage {
  readonly processId: string;
  /** Undefined for what a transaction tells of itself: it comes when the commit does, in no stream. */
  readonly place: StreamPlace | undefined;
  readonly content: BusContent;
}

/** The JSON of a message whose content is in JSON already: the fields of it, without braces. */
export function messageText(processId: string, place: StreamPlace | undefined, content: string): string {
  const numbers = place === undefined ? '' : `,"s":${place.incarnation},"n":${place.number}`;
  return `{"v":${VERSION},"p":${JSON.stringify(processId)}${numbers},${content}}`;
}

/** The JSON of a content other than writes, without braces. */
export function contentText(content: Exclude<BusContent, { kind: 'writes' }>): string {
  if (content.kind === 'heartbeat') return `"b":${content.sentMs}`;
  return content.kind === 'goodbye' ? '"bye":1' : '"all":1';
}

/** @returns undefined for what is no message of this version, whatever it is; never throws */
export function readMessage(text: string): BusMessage | undefined {
  try {
    return messageOf(JSON.parse(text));
  } catch {
    return undefined;
  }
}

/** A part of a payload is not what it has to be. */
class MalformedError extends Error {}

function messageOf(value: unknown): BusMessage {
  const fields = Object(value) as Record<string, unknown>;
  demand(fields.v === VERSION);
  const processId = textOf(fields.p);
  const isPlaced = fields.s !== undefined || fields.n !== undefined;
  const place = isPlaced ? { incarnation: countOf(fields.s), number: countOf(fields.n) } : undefined;
  const content = contentOf(fields);
  demand(place !== undefined || content.kind === 'writes' || content.kind === 'everything');
  return { processId, place, content };
}

function contentOf({ b, bye, all, w }: Record<string, unknown>): BusContent {
  if (w !== undefined) return { kind: 'writes', notices: listOf(w).map(noticeOf) };
  if (b !== undefined) return { kind: 'heartbeat', sentMs: countOf(b) };
  demand(bye === 1 || all === 1);
  return bye === 1 ? { kind: 'goodbye' } : { kind: 'everything' };
}

function noticeOf(value: unknown): WriteNotice {
  const [tenantId, position, rows] = listOf(value);
  return { tenantId: textOf(tenantId), position: positionOf(position), rows: writtenRowsOf(rows) };
}

function positionOf(value: unknown): WrittenBefore | undefined {
  if (value === null) return undefined;
  const [timeline, lsn] = listOf(value);
  const digits = textOf(lsn);
  demand(LSN_PATTERN.test(digits));
  const position = { timeline: countOf(timeline), lsn: BigInt(`0x${digits}`) };
  demand(position.timeline <= TIMELINE_MAX);
  return position;
}

function writtenRowsOf(value: unknown): WrittenRows {
  return value === 0 ? 'anything' : listOf(value).map(tableRowsOf);
}

function tableRowsOf(value: unknown): TableRows {
  const [table, ids] = listOf(value);
  return { table: textOf(table), ids: ids === undefined ? undefined : listOf(ids).map(textOf) };
}

function listOf(value: unknown): readonly unknown[] {
  demand(Array.isArray(value));
  return value;
}

function textOf(value: unknown): string {
  demand(typeof value === 'string');
  return value;
}

function countOf(value: unknown): number {
  demand(typeof value === 'number' && Number.isSafeInteger(value) && value >= 0);
  return value;
}

function demand(isMet: boolean): asserts isMet {
  if (!isMet) throw new MalformedError();
}
