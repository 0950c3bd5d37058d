import { Decimal } from 'decimal.js';
import type { ColumnMetadata } from 'typeorm/metadata/ColumnMetadata.js';
import { ValidationError } from '../common/gateway-error.js';
import type { CursorValue } from '../sharding/scatter-gather/keyset-cursor.js';
import type { OrderKeyType } from '../sharding/scatter-gather/row-order.js';

const ORDER_KEY_TYPES: Readonly<Record<string, OrderKeyType>> = {
  smallint: 'number',
  int2: 'number',
  integer: 'number',
  int: 'number',
  int4: 'number',
  real: 'number',
  float4: 'number',
  'double precision': 'number',
  float8: 'number',
  bigint: 'bigint',
  int8: 'bigint',
  numeric: 'numeric',
  decimal: 'numeric',
  text: 'text',
  varchar: 'text',
  'character varying': 'text',
  citext: 'text',
  date: 'text',
  timestamptz: 'date',
  'timestamp with time zone': 'date',
  timestamp: 'date',
  'timestamp without time zone': 'date',
  uuid: 'uuid',
  boolean: 'boolean',
  bool: 'boolean',
};

const TYPE_OF_CLASS = new Map<unknown, OrderKeyType>([
  [String, 'text'],
  [Number, 'number'],
  [Boolean, 'boolean'],
  [Date, 'date'],
]);

/**
 * How the values of a column compare on the server.
 *
 * @throws ValidationError for types that rows of several shards cannot be sorted by
 */
export function orderKeyTypeOf(column: ColumnMetadata): OrderKeyType {
  const { type } = column;
  const known = typeof type === 'string' ? ORDER_KEY_TYPES[type] : TYPE_OF_CLASS.get(type);
  if (known === undefined) {
    throw new ValidationError([
      { path: 'order', message: `rows of several shards cannot be sorted by ${column.propertyName}` },
    ]);
  }
  return known;
}

/** Whether the server sorts the column by a collation, which its locale decides unless told otherwise. */
export function isCollated(column: ColumnMetadata): boolean {
  return orderKeyTypeOf(column) === 'text' && column.type !== 'date';
}

/** A sort key's value as it goes into a cursor, and from there into a parameter: exact, as text where need be. */
export function cursorValueOf(column: ColumnMetadata, value: unknown): CursorValue {
  if (value instanceof Date) return value.toISOString();
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') return value;
  if (typeof value === 'bigint') return value.toString();
  if (Decimal.isDecimal(value)) return value.toFixed();
  throw new ValidationError([
    { path: 'order', message: `${column.propertyName} may be null, so a list cannot go on behind it` },
  ]);
}
