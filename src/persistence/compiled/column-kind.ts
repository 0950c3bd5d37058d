import type { ColumnMetadata } from 'typeorm/metadata/ColumnMetadata.js';
import { ApplyValueTransformers } from 'typeorm/util/ApplyValueTransformers.js';
import { DateUtils } from 'typeorm/util/DateUtils.js';

const INTEGER_TYPES = ['smallint', 'int2', 'integer', 'int', 'int4', 'bigint', 'int8'];
const TEXT_TYPES = ['text', 'varchar', 'character varying', 'citext'];
const OTHER_SCALAR_TYPES = [
  ...['numeric', 'decimal', 'real', 'float', 'float4', 'float8', 'double precision'],
  ...['boolean', 'bool', 'uuid', 'bytea'],
];
const TIMESTAMP_TYPES = [
  ...['timestamp', 'timestamp without time zone'],
  ...['timestamptz', 'timestamp with time zone'],
];

/** Types whose values TypeORM leaves as the driver parsed them. */
const AS_PARSED: ReadonlySet<unknown> = new Set([
  ...[...INTEGER_TYPES, ...TEXT_TYPES, ...OTHER_SCALAR_TYPES, String],
  ...['char', 'character', 'json', 'jsonb', 'interval', 'timetz', 'time with time zone'],
  ...['time without time zone', 'inet', 'cidr', 'macaddr'],
]);

const TIMESTAMPS: ReadonlySet<unknown> = new Set([...TIMESTAMP_TYPES, Date]);

/** Types whose every literal means the same alone and within an array. */
const LISTABLE: ReadonlySet<unknown> = new Set([
  ...[...INTEGER_TYPES, ...TEXT_TYPES, ...OTHER_SCALAR_TYPES, ...TIMESTAMP_TYPES],
  ...['date', 'time', 'enum', String, Number, Boolean, Date],
]);

const KEYS_WITHOUT_SEPARATOR: ReadonlySet<unknown> = new Set([...INTEGER_TYPES, 'uuid', Number]);
const TEXT_KEYS: ReadonlySet<unknown> = new Set([...TEXT_TYPES, String]);

/** Whether a column's values are instants, as `Date`. */
export function isInstant({ transformer, type }: ColumnMetadata): boolean {
  return transformer === undefined && TIMESTAMPS.has(type);
}

/** Whether a list of values can be one parameter. */
export function canListValues({ type, isArray }: ColumnMetadata): boolean {
  return !isArray && LISTABLE.has(type);
}

/**
 * Whether TypeORM tells rows with these primary columns apart. It takes rows for one whose keys read the same
 * when joined by underscores, which texts can contain: one text at most is safe.
 */
export function areRowsToldApart(primaryColumns: readonly ColumnMetadata[]): boolean {
  const texts = primaryColumns.filter(({ type }) => TEXT_KEYS.has(type)).length;
  return (
    texts <= 1 &&
    primaryColumns.length > 0 &&
    primaryColumns.every(
      ({ type, isArray }) => !isArray && (KEYS_WITHOUT_SEPARATOR.has(type) || TEXT_KEYS.has(type)),
    )
  );
}

/**
 * What TypeORM makes of a column's values, null among them, once the driver has parsed them; undefined where
 * it leaves them alone.
 */
export function hydrationOf(column: ColumnMetadata): ((value: unknown) => unknown) | undefined {
  const { transformer, type } = column;
  if (AS_PARSED.has(type)) {
    return transformer && ((value) => ApplyValueTransformers.transformFrom(transformer, value) as unknown);
  }
  if (isInstant(column)) {
    return (value) => DateUtils.normalizeHydratedDate(value as Date | string | undefined);
  }
  const { driver } = column.entityMetadata.dataSource;
  return (value) => driver.prepareHydratedValue(value, column) as unknown;
}
