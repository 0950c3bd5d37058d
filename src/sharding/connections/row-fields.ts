import type { RawRow } from './prepared-statement.js';

/** The length that stands for null; every other one is followed by as many bytes. */
const NULL_LENGTH = -1;

const FIRST_BEYOND_ASCII = 0x80;

/**
 * The fields of one row in the server's text format. The row is decoded once and its fields are parts of
 * that text: a call into the decoder for each costs more than most fields are long.
 *
 * @param bytes hold the row from `start` to `end`: the number of fields, then each as length and text in UTF-8
 * @see https://www.postgresql.org/docs/current/protocol-message-formats.html, DataRow
 */
export function readFields(bytes: Buffer, start: number, end: number): RawRow {
  const count = int16At(bytes, start);
  const row = bytes.toString('latin1', start, end);
  const fields = new Array<string | null>(count);
  let position = start + 2;
  for (let index = 0; index < count; index += 1) {
    const length = int32At(bytes, position);
    position += 4;
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
function isAscii(bytes: Uint8Array, start: number, end: number): boolean {
  for (let position = start; position < end; position += 1) {
    if (byteAt(bytes, position) >= FIRST_BEYOND_ASCII) return false;
  }
  return true;
}

// A buffer's own methods for this check their arguments, which takes longer than to add up four bytes.

function int32At(bytes: Uint8Array, position: number): number {
  return (int16At(bytes, position) << 16) | int16At(bytes, position + 2);
}

function int16At(bytes: Uint8Array, position: number): number {
  return (byteAt(bytes, position) << 8) | byteAt(bytes, position + 1);
}

function byteAt(bytes: Uint8Array, position: number): number {
  return bytes[position] ?? 0;
}
