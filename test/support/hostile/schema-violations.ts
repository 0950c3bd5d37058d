import { BAD_AMOUNTS, HOSTILE_TEXTS, ODD_AMOUNTS, absentIds, badIds } from './hostile-texts.js';
import type { Schema } from './openapi-document.js';
import { ABSENT, replacedAt, type Mutation } from './request-draft.js';

/** A value in the place of a good one. */
export interface Substitute {
  /** Field names and indexes from the schema's own value down. */
  readonly place: readonly string[];
  readonly value: unknown;
  readonly effect: Mutation['effect'];
}

/** A JSON text that `JSON.stringify` would not write; see `writeJson`. */
class Verbatim {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }

  /** Stands in for the text until the rest is written. */
  toJSON(): string {
    return `${MARK}${this.text}${MARK}`;
  }
}

const MARK = '\u{f0000}';
const MARKED = new RegExp(`"${MARK}([^${MARK}]*)${MARK}"`, 'gu');

/** JSON, with what is {@link Verbatim} as it is. */
export function writeJson(value: unknown): string {
  return JSON.stringify(value).replaceAll(MARKED, (_, text: string) => text);
}

const WRONG_TYPES: Readonly<Record<string, readonly unknown[]>> = {
  string: [0, -1, 1.5, true, [], {}, ['x'], { toString: 'x' }, { $ne: null }, [[[[]]]]],
  number: ['1', '', 'NaN', true, [], {}, [1], { valueOf: 1 }],
  boolean: ['true', 'false', '', 0, 1, [], {}, [true]],
  array: ['', 'x', 0, true, {}, { length: 1 }, { '0': {} }, [[]], [null], ['x'], [0], [{}]],
  object: ['', 'x', 0, 1, true, [], [{}], [['id', 'x']]],
};

/** No JSON numbers, or none that is finite. */
const BAD_NUMBERS = [
  '1e999',
  '-1e999',
  'NaN',
  'Infinity',
  '-Infinity',
  '0x10',
  '01',
  '1.',
  '.5',
  '+1',
  '1_0',
];
const HUGE_NUMBERS = ['123456789012345678901234567890', '1e-999', '-0', '1E+2', '9007199254740993'];

/** Names that no schema has; some are of every JavaScript object. */
const UNKNOWN_FIELDS = [
  ...['__proto__', 'constructor', 'prototype', 'toString', 'valueOf', 'hasOwnProperty', '__defineGetter__'],
  ...['', ' ', '$where', '$set', 'tenantId', 'tenant_id', 'userId', 'bucket', 'version', 'balance', 'kind'],
  ...['a.b', 'a[0]', '\u0000', '\ud800', '\u{1f4b0}', "'; DROP TABLE accounts; --", 'k'.repeat(10_000)],
];

/** What may stand in the place of a good value of a schema: first of all what cannot be acceptable. */
export function substitutesFor(schema: Schema, good: unknown, name: string): Substitute[] {
  const own = [...wrongTypesFor(schema), ...ownFaults(schema, good, name)];
  return [...own.map(({ value, effect }) => ({ place: [], value, effect })), ...within(schema, good, name)];
}

type Own = Omit<Substitute, 'place'>;

const refused = (values: readonly unknown[]): Own[] => values.map((value) => ({ value, effect: 'refused' }));
const perhaps = (values: readonly unknown[]): Own[] => values.map((value) => ({ value, effect: 'perhaps' }));

function wrongTypesFor({ type = 'object', nullable }: Schema): Own[] {
  const kind = type === 'integer' ? 'number' : type;
  const numbers = kind === 'number' ? perhaps : refused;
  return [
    ...(nullable === true ? [] : refused([null])),
    ...refused(WRONG_TYPES[kind] ?? []),
    ...refused(BAD_NUMBERS.map((text) => new Verbatim(text))),
    ...numbers(HUGE_NUMBERS.map((text) => new Verbatim(text))),
  ];
}

function ownFaults(schema: Schema, good: unknown, name: string): Own[] {
  switch (schema.type) {
    case 'string':
      return [...textFaults(schema, good), ...(isAmount(name) ? amountFaults() : [])];
    case 'integer':
    case 'number':
      return numberFaults(schema);
    case 'array':
      return arrayFaults(schema, good);
    default:
      return [];
  }
}

function isAmount(name: string): boolean {
  return /amount$|balance$/i.test(name);
}

function amountFaults(): Own[] {
  return [...refused(BAD_AMOUNTS.filter((value) => value !== '')), ...perhaps(['', ...ODD_AMOUNTS])];
}

function textFaults(schema: Schema, good: unknown): Own[] {
  if (schema.format === 'uuid') {
    const id = String(good);
    return [
      ...refused([...badIds(id), ...HOSTILE_TEXTS]),
      ...absentIds(id).map((value): Own => ({ value, effect: 'harmless' })),
    ];
  }
  if (schema.enum !== undefined) {
    const near = schema.enum.flatMap((value) => [
      ` ${value}`,
      `${value}\u0000`,
      swapCase(value),
      value.slice(1),
    ]);
    return refused([...near, ...HOSTILE_TEXTS].filter((value) => !schema.enum?.includes(value)));
  }
  return HOSTILE_TEXTS.map((value) => ({ value, effect: breaks(schema, value) ? 'refused' : 'perhaps' }));
}

function breaks({ pattern, maxLength, minLength }: Schema, text: string): boolean {
  const length = Array.from(text).length;
  return (
    length > (maxLength ?? length) ||
    length < (minLength ?? length) ||
    (pattern !== undefined && !new RegExp(pattern, 'u').test(text))
  );
}

function swapCase(text: string): string {
  return text === text.toUpperCase() ? text.toLowerCase() : text.toUpperCase();
}

function numberFaults({ type, minimum, maximum }: Schema): Own[] {
  return [
    ...refused(type === 'integer' ? [0.5, 1.0000001] : []),
    ...(minimum === undefined ? [] : refused([minimum - 1, -1e15])),
    ...(maximum === undefined ? [] : refused([maximum * 2, 1e308])),
    ...perhaps([0, 1e-300, 0.1 + 0.2]),
  ];
}

function arrayFaults({ maxItems }: Schema, good: unknown): Own[] {
  const [item] = Array.isArray(good) ? (good as unknown[]) : [];
  return [
    ...(maxItems === undefined
      ? []
      : refused([new Array(maxItems + 1).fill(null), repeated(item, maxItems + 1)])),
    { value: [], effect: 'harmless' },
  ];
}

/** As many of a value as fit into a request: of objects with fields, those only that need no room. */
function repeated(item: unknown, times: number): unknown[] {
  return new Array<unknown>(times).fill(typeof item === 'object' ? {} : item);
}

function within(schema: Schema, good: unknown, name: string): Substitute[] {
  if (schema.oneOf !== undefined) {
    return schema.oneOf.flatMap((variant) =>
      whole([], within(variant, goodOf(variant), name), goodOf(variant)),
    );
  }
  if (schema.type === 'array' && Array.isArray(good)) {
    return below('0', substitutesFor(schema.items ?? {}, good[0], name));
  }
  if (schema.properties === undefined) return [];
  const fields = good as Readonly<Record<string, unknown>>;
  const known = Object.entries(schema.properties).flatMap(([field, of]) => [
    ...(schema.required?.includes(field) === true ? [absent(field)] : []),
    ...(field in fields
      ? below(field, substitutesFor(of, fields[field], field))
      : whole([field], substitutesFor(of, goodOf(of), field), goodOf(of))),
  ]);
  const unknown = UNKNOWN_FIELDS.filter((field) => !Object.hasOwn(schema.properties ?? {}, field)).flatMap(
    (field) =>
      [1, { isAdmin: true }].map((value): Substitute => ({ place: [field], value, effect: 'refused' })),
  );
  return [...known, ...unknown];
}

function absent(field: string): Substitute {
  return { place: [field], value: ABSENT, effect: 'refused' };
}

function below(field: string, substitutes: readonly Substitute[]): Substitute[] {
  return substitutes.map((one) => ({ ...one, place: [field, ...one.place] }));
}

/** Substitutes within a value that the good body does not have: each becomes the whole value with it inside. */
function whole(place: readonly string[], substitutes: readonly Substitute[], good: unknown): Substitute[] {
  return substitutes.map((one) => ({ ...one, place, value: replacedAt(good, one.place, one.value) }));
}

/** A good value, by the schema alone. */
export function goodOf(schema: Schema): unknown {
  if (schema.example !== undefined) return schema.example;
  if (schema.enum !== undefined) return schema.enum[0];
  if (schema.oneOf !== undefined) return goodOf(schema.oneOf[0] ?? {});
  switch (schema.type) {
    case 'integer':
    case 'number':
      return schema.minimum === undefined ? 1 : schema.minimum + 1;
    case 'boolean':
      return false;
    case 'array':
      return [goodOf(schema.items ?? {})];
    case 'string':
      return 's0';
    default:
      return Object.fromEntries(
        Object.entries(schema.properties ?? {})
          .filter(([field]) => schema.required?.includes(field))
          .map(([field, of]) => [field, goodOf(of)]),
      );
  }
}
