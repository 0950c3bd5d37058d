import type { TableRows } from '../table-rows.js';
import { contentText } from './bus-message.js';
import type { GatheredWrites, WriteNotice } from './write-notice.js';

const EVERYTHING = contentText({ kind: 'everything' });

/**
 * The JSON of writes as contents of messages, each at most `bytesMax` long in UTF-8; together they cover what
 * was written. What does not fit by itself is told less exactly.
 */
export function writesTexts(writes: GatheredWrites, bytesMax: number): string[] {
  if (writes === 'everything') return [EVERYTHING];
  const noticesMax = bytesMax - byteLength(contentOf(''));
  const notices = writes.flatMap((notice) => noticeTexts(notice, noticesMax));
  if (notices.includes(undefined)) return [EVERYTHING];
  return packed(
    notices.filter((text) => text !== undefined),
    noticesMax,
  ).map(contentOf);
}

function contentOf(notices: string): string {
  return `"w":[${notices}]`;
}

/** One notice in as many parts as it needs; undefined where not even the tenant's name fits. */
function noticeTexts(notice: WriteNotice, bytesMax: number): (string | undefined)[] {
  const { tenantId, position, rows } = notice;
  const place = position === undefined ? 'null' : `[${position.timeline},"${position.lsn.toString(16)}"]`;
  const of = (rowsText: string): string => `[${JSON.stringify(tenantId)},${place},${rowsText}]`;
  const anything = of('0');
  if (byteLength(anything) > bytesMax) return [undefined];
  if (rows === 'anything') return [anything];
  const tablesMax = bytesMax - byteLength(of('[]'));
  const tables = rows.flatMap((table) => tableTexts(table, tablesMax));
  if (tables.includes(undefined)) return [anything];
  return packed(
    tables.filter((text) => text !== undefined),
    tablesMax,
  ).map((text) => of(`[${text}]`));
}

/** One table in as many parts as its ids need; undefined where not even its name fits. */
function tableTexts({ table, ids }: TableRows, bytesMax: number): (string | undefined)[] {
  const name = JSON.stringify(table);
  const whole = `[${name}]`;
  if (byteLength(whole) > bytesMax) return [undefined];
  if (ids === undefined) return [whole];
  const of = (idsText: string): string => `[${name},[${idsText}]]`;
  if (ids.length === 0) return byteLength(of('')) > bytesMax ? [whole] : [of('')];
  const idsMax = bytesMax - byteLength(of(''));
  const texts = ids.map((id) => JSON.stringify(id));
  return texts.some((text) => byteLength(text) > idsMax) ? [whole] : packed(texts, idsMax).map(of);
}

/** Joins texts by commas, as many as fit. Each fits by itself. */
function packed(texts: readonly string[], bytesMax: number): string[] {
  const lines: string[] = [];
  let line: string[] = [];
  let bytes = -1;
  for (const text of texts) {
    const more = byteLength(text) + 1;
    if (line.length > 0 && bytes + more > bytesMax) {
      lines.push(line.join());
      line = [];
      bytes = -1;
    }
    line.push(text);
    bytes += more;
  }
  if (line.length > 0) lines.push(line.join());
  return lines;
}

function byteLength(text: string): number {
  return Buffer.byteLength(text);
}
