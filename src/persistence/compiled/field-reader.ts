import { Decimal } from 'decimal.js';
import type { ColumnMetadata } from 'typeorm/metadata/ColumnMetadata.js';
import { copyOfDecimal } from '../decimal-text.js';
import { isMoney } from '../money-column.js';
import { hydrationOf, isInstant } from './column-kind.js';

/** What the driver makes of a field's text, in PostgreSQL's text format; none where it stays text. */
export type TextParser = ((text: string) => unknown) | undefined;

/** One row: the fields in the order of the statement's columns, as the server sent them. */
export type RowFields = readonly (string | null)[];

/**
 * Gives the value of a field. Rows are read more than once where a cache keeps them, so a reader may leave in the
 * row what is less work the next time; each call gives a value that nobody else has.
 */
export type FieldReader = (fields: RowFields, index: number) => unknown;

/** The reader of a column's fields; undefined where a field is its text. */
export function fieldReaderOf(column: ColumnMetadata, parse: TextParser): FieldReader | undefined {
  const hydrate = hydrationOf(column);
  if (hydrate === undefined && parse === undefined) return undefined;
  const valueOf = (field: unknown): unknown => {
    const parsed = typeof field === 'string' && parse !== undefined ? parse(field) : (field ?? null);
    return hydrate === undefined ? parsed : hydrate(parsed);
  };
  if (isMoney(column)) return moneyReader(valueOf);
  // What another transformer makes is not this reader's to keep: it may be a secret, or another one each time.
  if (column.transformer !== undefined) return (fields, index) => valueOf(fields[index]);
  return isInstant(column) ? instantReader(valueOf) : scalarReader(valueOf);
}

/** Leaves a Decimal in the row, and gives copies of it. */
function moneyReader(valueOf: (field: unknown) => unknown): FieldReader {
  return (fields, index) => {
    const field: unknown = fields[index];
    if (field instanceof Decimal) return copyOfDecimal(field);
    const value = valueOf(field);
    if (!(value instanceof Decimal)) return value;
    leave(fields, index, value);
    return copyOfDecimal(value);
  };
}

/** Leaves an instant's milliseconds. */
function instantReader(valueOf: (field: unknown) => unknown): FieldReader {
  return (fields, index) => {
    const field: unknown = fields[index];
    if (typeof field === 'number') return new Date(field);
    const value = valueOf(field);
    if (value instanceof Date && value.constructor === Date) leave(fields, index, value.getTime());
    return value;
  };
}

/** Leaves numbers and booleans as they are. */
function scalarReader(valueOf: (field: unknown) => unknown): FieldReader {
  return (fields, index) => {
    const field: unknown = fields[index];
    if (typeof field === 'number' || typeof field === 'boolean') return field;
    const value = valueOf(field);
    if (typeof value === 'number' || typeof value === 'boolean') leave(fields, index, value);
    return value;
  };
}

function leave(fields: RowFields, index: number, value: unknown): void {
  (fields as unknown[])[index] = value;
}
