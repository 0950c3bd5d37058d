import { createHash } from 'node:crypto';
import { ValidationError } from '../../common/gateway-error.js';

/** A sort key's value in a cursor. What JSON cannot hold exactly (bigint, numeric, time) goes in as text. */
export type CursorValue = string | number | boolean | null;

/** The longest cursor that is made or read, in characters. */
const MAX_CURSOR_CHARS = 2 * 1024;
const DIGEST_BYTES = 9;

/**
 * Makes the cursor that continues a list after the row with these sort keys. It is opaque to the client but
 * no secret: what it leads to is protected by the tenant's scope, not by the cursor.
 *
 * @param shape says which list it is: its name, filters and order, in any stable text. A cursor works for
 *   this shape only.
 * @param values the sort keys of the last row seen; numbers must be finite
 * @throws ValidationError when the keys are too long
 */
export function encodeCursor(shape: string, values: readonly CursorValue[]): string {
  const cursor = spell(shape, values);
  if (cursor.length > MAX_CURSOR_CHARS) throw refused('the sort keys are too long to continue from');
  return cursor;
}

/**
 * Reads a cursor back into the sort keys it was made of.
 *
 * @throws ValidationError of path `cursor` when it is malformed, changed or of another list
 */
export function decodeCursor(cursor: string, shape: string): CursorValue[] {
  if (cursor.length > MAX_CURSOR_CHARS) throw notOfThisList();
  const [, ...values] = arrayIn(Buffer.from(cursor, 'base64url').toString());
  // Base64 and JSON can write the same keys in many ways; a cursor has exactly one spelling.
  if (!values.every(isCursorValue) || spell(shape, values) !== cursor) throw notOfThisList();
  return values;
}

/** Base64url of a JSON array: a digest, then the keys. */
function spell(shape: string, values: readonly CursorValue[]): string {
  return Buffer.from(JSON.stringify([digestOf(shape, values), ...values])).toString('base64url');
}

/** Covers the values too, so that a changed cursor is refused here and not by the database. */
function digestOf(shape: string, values: readonly CursorValue[]): string {
  const hash = createHash('sha256').update(JSON.stringify([shape, ...values]));
  return hash.digest().subarray(0, DIGEST_BYTES).toString('base64url');
}

function arrayIn(json: string): unknown[] {
  try {
    const parsed: unknown = JSON.parse(json);
    if (Array.isArray(parsed)) return parsed;
  } catch {
    // Falls through to the same refusal.
  }
  throw notOfThisList();
}

function isCursorValue(value: unknown): value is CursorValue {
  return value === null || ['string', 'number', 'boolean'].includes(typeof value);
}

function notOfThisList(): ValidationError {
  return refused('is not a cursor of this list; start again without it');
}

function refused(message: string): ValidationError {
  return new ValidationError([{ path: 'cursor', message }]);
}
