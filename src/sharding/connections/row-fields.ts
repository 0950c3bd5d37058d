import type { RawRow } from './prepared-statement.js';

/** The length that stands for null; every other one is followed by as many bytes. */
const NULL_LENGTH = -1;

const COUNT_BYTES = 2;
const LENGTH_BYTES = 4;
const FIRST_BEYOND_ASCII = 0x80;

/**
 * The fields of one row in the server's text format. The row is decoded once and its fields are parts of
 * that text: a call into the decoder for each costs more than most fields are long.
 *
 * @param bytes hold the row from `start` to `end`: the number of fields, then each as length and text in UTF-8
 * @see https://www.postgresql.org/docs/current/protocol-message-formats.html, DataRow
 */
export function readFields(bytes: Buffer, start: number, end: number): RawRow {
  const count = bytes.readUInt16BE(start);
  const row = bytes.toString('latin1', start, end);
  const fields = new Array<string | null>(count);
  let position = start + COUNT_BYTES;
  for (let index = 0; index < count; index += 1) {
    const length = bytes.readInt32BE(position);
    position += LENGTH_BYTES;
    if (length === NULL_LENGTH) {
      fields[index] = null;
      continue;
    }
    const next = position + length;
    fields[index] = isAscii(bytes, position, next)
      ? row.substring(position - start, next - start)
      : bytes.toString('utf8', position, next);
    position = next;
  }
  return fields;
}

/** Where it is, the same bytes mean the same in Latin-1, which is how the row was decoded, and in UTF-8. */
function isAscii(bytes: Buffer, start: number, end: number): boolean {
  for (let position = start; position < end; position += 1) {
    if ((bytes[position] ?? 0) >= FIRST_BEYOND_ASCII) return false;
  }
  return true;
}
