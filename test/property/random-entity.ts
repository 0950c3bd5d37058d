import fc from 'fast-check';
import { Decimal } from 'decimal.js';
import { Column, DeleteDateColumn, Entity, type ColumnOptions, type ValueTransformer } from 'typeorm';
import { ShardedEntity } from '../../src/persistence/sharded-entity.js';
import { moneyColumn } from '../../src/persistence/money-column.js';

/** A kind of column: how it is declared, and texts that its type takes on the server. */
interface ColumnKind {
  readonly options: ColumnOptions;
  readonly values: fc.Arbitrary<unknown>;
}

/** A value of a class of its own. */
class Label {
  constructor(readonly text: string) {}
}

const labels: ValueTransformer = {
  from: (text: string | null) => (text === null ? null : new Label(text)),
  to: (label: unknown) => (label instanceof Label ? label.text : label),
};
const reversed: ValueTransformer = {
  from: (text: string | null) => (text === null ? null : Array.from(text).reverse().join('')),
  to: (text: unknown) => (typeof text === 'string' ? Array.from(text).reverse().join('') : text),
};
const bigints: ValueTransformer = {
  from: (text: string | null) => (text === null ? null : BigInt(text)),
  to: (value: unknown) => (typeof value === 'bigint' ? value.toString() : value),
};
/** Null has a meaning of its own in the entity. */
const nothing: ValueTransformer = {
  from: (value: unknown) => value ?? 'nothing',
  to: (value: unknown) => (value === 'nothing' ? null : value),
};
const epochs: ValueTransformer = {
  from: (date: unknown) => (date instanceof Date ? date.getTime() : date),
  to: (time: unknown) => (typeof time === 'number' && Number.isFinite(time) ? new Date(time) : time),
};

const text = fc.oneof(
  fc.constantFrom(
    '',
    "it's",
    '"',
    '\\',
    'NULL',
    '{}',
    '%',
    'a_c',
    'ABC',
    'abc',
    ' padded ',
    '5',
    'žluťoučký 🐎',
  ),
  fc.string({ unit: 'binary', maxLength: 12 }).map((value) => value.replaceAll('\0', '')),
);
const int4 = fc.oneof(fc.integer({ min: -3, max: 3 }), fc.integer());
const int8 = fc.oneof(
  fc.constantFrom('-9223372036854775808', '9223372036854775807', '9007199254740993'),
  fc.integer({ min: -3, max: 3 }).map(String),
);
const numeric = fc.oneof(
  fc.constantFrom(
    '123456789012345678901234567890.123456789',
    '-0.00000000000000000001',
    'NaN',
    '0.10',
    '0.1',
  ),
  fc.integer({ min: -3, max: 3 }).map(String),
);
const money = fc
  .bigInt({ min: -(10n ** 20n) + 1n, max: 10n ** 20n - 1n })
  .map((units) => new Decimal(units.toString()).div(10_000).toFixed(4));
const float8 = fc.constantFrom('NaN', 'Infinity', '-Infinity', '1e308', '-0', '0.1', '2.5');
const timestamp = fc.oneof(
  fc.constantFrom('infinity', '-infinity', '0001-01-01 00:00:00', '0044-03-15 12:00:00 BC'),
  fc.constantFrom('294276-12-31 23:59:59.999999', '2024-02-29 10:00:00.123456', '1969-12-31 23:59:59.5'),
  fc.date({ noInvalidDate: true, min: new Date('1900-01-01'), max: new Date('2100-01-01') }),
);
const date = fc.constantFrom(
  '0001-01-01',
  '9999-12-31',
  '10000-01-01',
  '4713-01-01 BC',
  '2024-02-29',
  '1969-12-31',
);
const time = fc.constantFrom('00:00', '23:59:59.999999', '24:00:00', '01:02:03');
const json = fc.jsonValue().map((value) => JSON.stringify(value).replaceAll('\\u0000', ''));
const interval = fc.constantFrom('1 year 2 mons -3 days 04:05:06.789', '0', '-1 second', '400 days');
const COLORS = ['red', 'dark blue', "it's", '2', 'NULL'];
const color = fc.constantFrom(...COLORS);
const level = fc.constantFrom('1', '2', '3');

/** The kinds of columns, by names that a counterexample shows. */
const KINDS = {
  text: { options: { type: 'text' }, values: text },
  varchar: {
    options: { type: 'varchar', length: 5 },
    values: text.map((value) => Array.from(value).slice(0, 5).join('')),
  },
  char: { options: { type: 'char', length: 5 }, values: fc.constantFrom('a', 'a  b', '', 'žluť') },
  String: { options: { type: String }, values: text },
  smallint: { options: { type: 'smallint' }, values: fc.integer({ min: -32_768, max: 32_767 }) },
  int: { options: { type: 'int' }, values: int4 },
  Number: { options: { type: Number }, values: int4 },
  bigint: { options: { type: 'bigint' }, values: int8 },
  numeric: { options: { type: 'numeric' }, values: numeric },
  money: { options: moneyColumn(), values: money },
  real: { options: { type: 'real' }, values: float8.filter((value) => value !== '1e308') },
  float8: { options: { type: 'float8' }, values: float8 },
  boolean: { options: { type: 'boolean' }, values: fc.boolean() },
  Boolean: { options: { type: Boolean }, values: fc.boolean() },
  uuid: { options: { type: 'uuid' }, values: fc.uuid() },
  bytea: {
    options: { type: 'bytea' },
    values: fc.uint8Array({ maxLength: 6 }).map((bytes) => Buffer.from(bytes)),
  },
  json: { options: { type: 'json' }, values: json },
  jsonb: { options: { type: 'jsonb' }, values: json },
  date: { options: { type: 'date' }, values: date },
  utcDate: { options: { type: 'date', utc: true }, values: date },
  time: { options: { type: 'time' }, values: time },
  timetz: { options: { type: 'timetz' }, values: time },
  timestamp: { options: { type: 'timestamp' }, values: timestamp },
  timestamptz: { options: { type: 'timestamptz', precision: 3 }, values: timestamp },
  Date: { options: { type: Date }, values: timestamp },
  interval: { options: { type: 'interval' }, values: interval },
  inet: { options: { type: 'inet' }, values: fc.constantFrom('10.0.0.1', '10.0.0.0/8', '::1') },
  point: { options: { type: 'point' }, values: fc.constantFrom('(1,2)', '(-0.5,1e10)') },
  range: { options: { type: 'int4range' }, values: fc.constantFrom('[1,5)', 'empty', '(,3)') },
  bit: { options: { type: 'bit', length: 3 }, values: fc.constantFrom('101', '000') },
  enum: { options: { type: 'enum', enum: COLORS }, values: color },
  numberEnum: { options: { type: 'enum', enum: [1, 2, 3] }, values: level },
  enumArray: {
    options: { type: 'enum', enum: COLORS, array: true },
    values: fc.array(color, { maxLength: 3 }),
  },
  numberEnumArray: {
    options: { type: 'enum', enum: [1, 2, 3], array: true },
    values: fc.array(level, { maxLength: 3 }),
  },
  simpleEnum: { options: { type: 'simple-enum', enum: COLORS }, values: color },
  simpleArray: { options: { type: 'simple-array' }, values: fc.constantFrom('', 'a', 'a,b', ',') },
  simpleJson: { options: { type: 'simple-json' }, values: json },
  textArray: { options: { type: 'text', array: true }, values: fc.array(fc.option(text), { maxLength: 3 }) },
  intArray: { options: { type: 'int', array: true }, values: fc.array(fc.option(int4), { maxLength: 3 }) },
  bigintArray: { options: { type: 'bigint', array: true }, values: fc.array(int8, { maxLength: 3 }) },
  dateArray: { options: { type: 'date', array: true }, values: fc.array(date, { maxLength: 2 }) },
  timestamptzArray: {
    options: { type: 'timestamptz', array: true },
    values: fc.constantFrom('{}', '{"2024-02-29 10:00:00.123456",NULL}', '{infinity}'),
  },
  label: { options: { type: 'text', transformer: labels }, values: text },
  reversedLabel: { options: { type: 'varchar', transformer: [labels, reversed] }, values: text },
  reversed: { options: { type: 'text', transformer: reversed }, values: text },
  bigintLabel: { options: { type: 'bigint', transformer: bigints }, values: int8 },
  nothing: { options: { type: 'text', transformer: nothing }, values: text },
  epoch: { options: { type: 'timestamptz', transformer: epochs }, values: timestamp },
  enumLabel: { options: { type: 'enum', enum: COLORS, transformer: labels }, values: color },
} satisfies Record<string, ColumnKind>;

type KindName = keyof typeof KINDS;

/** Where a column stands: the entity itself, or an embedded, which may stand in another. */
const PLACES = [[], ['home'], ['home', 'geo'], ['work']] as const;

/** An entity as a test makes it up; plain data, so that a counterexample can be read. */
export interface EntitySpec {
  readonly columns: readonly {
    readonly kind: KindName;
    readonly place: number;
    readonly hidden: boolean;
    readonly renamed: boolean;
  }[];
  readonly prefixes: readonly (string | boolean | undefined)[];
  readonly constructors: boolean;
  readonly deletable: boolean;
}

export const entitySpecs: fc.Arbitrary<EntitySpec> = fc.record({
  columns: fc.array(
    fc.record({
      kind: fc.constantFrom(...(Object.keys(KINDS) as KindName[])),
      place: fc.constantFrom(0, 0, 1, 2, 3),
      hidden: fc.constantFrom(false, false, false, false, true),
      renamed: fc.boolean(),
    }),
    { minLength: 2, maxLength: 10 },
  ),
  prefixes: fc.array(fc.constantFrom(undefined, true, 'pre', 'Two Words'), { minLength: 3, maxLength: 3 }),
  constructors: fc.boolean(),
  deletable: fc.boolean(),
});

/** Raw values of one row: what an INSERT takes for the columns of a spec, in their order. */
export function rowsOf(spec: EntitySpec): fc.Arbitrary<unknown[][]> {
  const values = spec.columns.map(({ kind }) =>
    fc.option(KINDS[kind].values as fc.Arbitrary<unknown>, { freq: 4 }),
  );
  return fc.array(fc.tuple(...values), { minLength: 3, maxLength: 16, size: 'max' });
}

/** The property path of the column at this index. */
export function pathOf(spec: EntitySpec, index: number): readonly string[] {
  return [...(PLACES[spec.columns[index]!.place] ?? []), `c${index}`];
}

type AnyClass = new () => object;

/** Declares a class for a spec, as decorators would. */
export function declareEntity(spec: EntitySpec, table: string): new () => ShardedEntity {
  const entity = spec.constructors ? withConstructor() : class extends ShardedEntity {};
  const classes = new Map<string, AnyClass>([['', entity]]);
  for (const [index, place] of PLACES.entries()) {
    if (place.length > 0 && spec.columns.some((column) => startsWith(PLACES[column.place]!, place))) {
      const parent = classes.get(place.slice(0, -1).join('.'))!;
      const embedded = spec.constructors ? presetClass() : plainClass();
      classes.set(place.join('.'), embedded);
      const prefix = spec.prefixes[index - 1];
      Column(() => embedded, prefix === undefined ? {} : { prefix })(
        parent.prototype as object,
        place.at(-1)!,
      );
    }
  }
  for (const [index, { kind, place, hidden, renamed }] of spec.columns.entries()) {
    const owner = classes.get(PLACES[place]!.join('.'))!;
    const options: ColumnOptions = {
      ...KINDS[kind].options,
      nullable: true,
      select: !hidden,
      ...(renamed && { name: `Column ${index}` }),
    };
    Column(options)(owner.prototype as object, `c${index}`);
  }
  if (spec.deletable) DeleteDateColumn({ type: 'timestamptz' })(entity.prototype as object, 'deletedAt');
  Object.defineProperty(entity, 'name', { value: `Random_${table}` });
  Entity({ name: table })(entity);
  return entity;
}

/** A class whose constructor sets what rows may or may not overwrite. */
function withConstructor(): new () => ShardedEntity {
  return class extends ShardedEntity {
    readonly origin = new Label('constructor');
    readonly c0 = 'preset';
    home: object | undefined = undefined;
  };
}

function presetClass(): AnyClass {
  return class {
    readonly origin = 'preset';
  };
}

function plainClass(): AnyClass {
  return class {
    greet(): string {
      return 'hello';
    }
  };
}

function startsWith(path: readonly string[], start: readonly string[]): boolean {
  return start.every((name, index) => path[index] === name);
}
