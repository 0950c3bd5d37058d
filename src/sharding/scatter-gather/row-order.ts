import { Decimal } from 'decimal.js';
import { compareInstants } from './instant-order.js';

/** What PostgreSQL type a sort key has, and so how it compares. */
export type OrderKeyType = 'text' | 'number' | 'bigint' | 'numeric' | 'date' | 'uuid' | 'boolean';

/** One sort key of a list, first one first. */
export interface OrderKey<Row> {
  /** The key's value as the driver gave it; null or undefined for SQL's null. */
  readonly get: (row: Row) => unknown;
  readonly type: OrderKeyType;
  readonly direction: 'ASC' | 'DESC';
  /** Where nulls go. Default as on the server: last when ascending, first when descending. */
  readonly nulls?: 'FIRST' | 'LAST';
}

/** Negative when `a` comes before `b`, positive when after, zero when it does not matter. */
export type Compare<Value> = (a: Value, b: Value) => number;

/**
 * Compares rows as PostgreSQL orders them, so that what several servers sorted can be merged.
 *
 * - `text` compares like `COLLATE "C"` in UTF-8: by code point. The statement must say that collation.
 * - `number` takes what the driver gives for `smallint`, `integer`, `real` and `double precision`; NaN is the
 *   greatest of all.
 * - `bigint` and `numeric` take strings (or bigint, number, Decimal) and compare without any rounding.
 * - `date` takes a Date, ISO text with any number of fraction digits, or the driver's infinities. Dates hold
 *   milliseconds: keys that differ below need text.
 */
export function compareRows<Row>(keys: readonly OrderKey<Row>[]): Compare<Row> {
  const compares = keys.map(compareByKey);
  return (a, b) => {
    for (const compare of compares) {
      const order = compare(a, b);
      if (order !== 0) return order;
    }
    return 0;
  };
}

function compareByKey<Row>({ get, type, direction, nulls }: OrderKey<Row>): Compare<Row> {
  const compareValues = COMPARE_BY_TYPE[type];
  const sign = direction === 'ASC' ? 1 : -1;
  const nullOrder = (nulls ?? (direction === 'ASC' ? 'LAST' : 'FIRST')) === 'LAST' ? 1 : -1;
  return (rowA, rowB) => {
    const a = get(rowA) ?? null;
    const b = get(rowB) ?? null;
    if (a === null || b === null) return a === b ? 0 : a === null ? nullOrder : -nullOrder;
    return sign * compareValues(a, b);
  };
}

const COMPARE_BY_TYPE: Record<OrderKeyType, Compare<unknown>> = {
  text: (a, b) => compareText(String(a), String(b)),
  number: (a, b) => compareNumbers(Number(a), Number(b)),
  bigint: (a, b) => ascending(BigInt(a as string | bigint | number), BigInt(b as string | bigint | number)),
  numeric: (a, b) => compareDecimals(new Decimal(a as Decimal.Value), new Decimal(b as Decimal.Value)),
  date: compareInstants,
  uuid: (a, b) => ascending(String(a).toLowerCase(), String(b).toLowerCase()),
  boolean: (a, b) => Number(a) - Number(b),
};

function ascending<Value extends string | number | bigint>(a: Value, b: Value): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

function compareNumbers(a: number, b: number): number {
  if (Number.isNaN(a) || Number.isNaN(b)) return Number(Number.isNaN(a)) - Number(Number.isNaN(b));
  return ascending(a, b);
}

function compareDecimals(a: Decimal, b: Decimal): number {
  if (a.isNaN() || b.isNaN()) return Number(a.isNaN()) - Number(b.isNaN());
  return a.comparedTo(b);
}

/**
 * Orders text by code point, which is the byte order of UTF-8. JavaScript compares UTF-16 units, in which the
 * surrogates that make up code points above U+FFFF come before U+E000 to U+FFFF.
 */
function compareText(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let index = 0; index < length; index += 1) {
    const unitA = a.charCodeAt(index);
    const unitB = b.charCodeAt(index);
    if (unitA !== unitB) return inCodePointOrder(unitA) - inCodePointOrder(unitB);
  }
  return a.length - b.length;
}

const FIRST_SURROGATE = 0xd800;
const LAST_SURROGATE = 0xdfff;

/** Lifts surrogates above all other units. */
function inCodePointOrder(unit: number): number {
  return unit >= FIRST_SURROGATE && unit <= LAST_SURROGATE ? unit + 0x10000 : unit;
}
