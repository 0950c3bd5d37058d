import type { EntityMetadata } from 'typeorm';
import type { ColumnMetadata } from 'typeorm/metadata/ColumnMetadata.js';
import type { EmbeddedMetadata } from 'typeorm/metadata/EmbeddedMetadata.js';
import { hydrationOf } from './column-kind.js';

/** What the driver makes of a field's text, in PostgreSQL's text format; none where it stays text. */
export type TextParser = ((text: string) => unknown) | undefined;

/**
 * Turns the text fields of one row, in the order of the statement's columns, into an entity.
 *
 * @param known values of the columns that are known to the reader, in its order
 */
export type RowReader<T> = (fields: readonly (string | null)[], known: readonly string[]) => T;

type Hydration = (value: unknown) => unknown;

/** Where the value of a column comes from: a field of the row, or what is known of every row. */
type Source =
  | { readonly kind: 'field'; readonly index: number; readonly parse: TextParser }
  | { readonly kind: 'known'; readonly index: number };

/** The columns that a read of the entity selects, in that order. */
export function readColumnsOf(metadata: EntityMetadata): readonly ColumnMetadata[] {
  // TypeORM selects keys even where they are hidden, and does not show join columns without a property.
  return metadata.columns.filter(
    ({ isSelect, isPrimary, isVirtual }) => (isSelect || isPrimary) && !isVirtual,
  );
}

/** Those of them that a statement selects which knows the others. */
export function selectedColumns(
  metadata: EntityMetadata,
  known: readonly ColumnMetadata[],
): readonly ColumnMetadata[] {
  return readColumnsOf(metadata).filter((column) => !known.includes(column));
}

/**
 * A reader of the entity's rows, as code made for this entity where the process allows that.
 *
 * @param parsers of the fields, one for each column that is not known
 * @param known columns that the statement does not select, whose values are given with each row
 */
export function compileRowReader(
  metadata: EntityMetadata,
  parsers: readonly TextParser[],
  known: readonly ColumnMetadata[] = [],
): RowReader<unknown> {
  return generateReader(metadata, parsers, known) ?? closureReader(metadata, parsers, known);
}

/** A reader without generated code, for processes that forbid it (`--disallow-code-generation-from-strings`). */
export function closureReader(
  metadata: EntityMetadata,
  parsers: readonly TextParser[],
  known: readonly ColumnMetadata[] = [],
): RowReader<unknown> {
  const steps = sourcesOf(metadata, parsers, known).map(({ column, source }) => {
    const hydrate = hydrationOf(column) ?? ((value: unknown): unknown => value);
    return (entity: object, ...[fields, values]: Parameters<RowReader<unknown>>): void => {
      if (source.kind === 'known') {
        column.setEntityValue(entity, values[source.index]);
        return;
      }
      const text = fields[source.index] ?? null;
      const parsed = text === null || source.parse === undefined ? text : source.parse(text);
      column.setEntityValue(entity, hydrate(parsed));
    };
  });
  return (fields, values) => {
    const entity = metadata.create(undefined, { fromDeserializer: true }) as object;
    for (const step of steps) step(entity, fields, values);
    return entity;
  };
}

/** The columns to set, in the order in which TypeORM sets them. */
function sourcesOf(
  metadata: EntityMetadata,
  parsers: readonly TextParser[],
  known: readonly ColumnMetadata[],
): { readonly column: ColumnMetadata; readonly source: Source }[] {
  const columns = readColumnsOf(metadata);
  const selected = selectedColumns(metadata, known);
  if (parsers.length !== selected.length) {
    throw new TypeError(`${metadata.name} has ${selected.length} columns to read, not ${parsers.length}.`);
  }
  return columns.map((column) => {
    if (known.includes(column)) return { column, source: { kind: 'known', index: known.indexOf(column) } };
    const index = selected.indexOf(column);
    return { column, source: { kind: 'field', index, parse: parsers[index] } };
  });
}

/**
 * The same as straight-line code: entities are then of one hidden class, and nothing is looked up per row. The
 * only text of others' in it is names of properties, as JSON strings.
 */
function generateReader(
  metadata: EntityMetadata,
  parsers: readonly TextParser[],
  known: readonly ColumnMetadata[],
): RowReader<unknown> | undefined {
  const sources = sourcesOf(metadata, parsers, known);
  const hydrations: (Hydration | undefined)[] = sources.map(({ column }) => hydrationOf(column));
  const embeddeds = metadata.allEmbeddeds;
  const code = [
    '"use strict";',
    ...parsers.map((_, index) => `const p${index} = parsers[${index}];`),
    ...hydrations.map((_, index) => `const h${index} = hydrations[${index}];`),
    ...embeddeds.map((_, index) => `const c${index} = creators[${index}];`),
    'return (fields, known) => {',
    `const entity = ${creationCode(metadata)};`,
    'let value;',
    ...sources.map(({ column, source }, place) => {
      const target = targetCode(column, embeddeds);
      if (source.kind === 'known') return `${target} = known[${source.index}];`;
      const text = `value = fields[${source.index}];`;
      const parsed =
        source.parse === undefined ? text : `${text} if (value !== null) value = p${source.index}(value);`;
      const hydrated = hydrations[place] === undefined ? '' : ` value = h${place}(value);`;
      return `${parsed}${hydrated} ${target} = value;`;
    }),
    'return entity; };',
  ].join('\n');
  const creators = embeddeds.map((embedded) => () => embedded.create() as object);
  const { target } = metadata;
  const prototype = typeof target === 'function' ? (target.prototype as object) : null;
  try {
    const make = Reflect.construct(Function, [
      ...['parsers', 'hydrations', 'creators', 'Entity', 'prototype'],
      code,
    ]) as (...args: unknown[]) => RowReader<unknown>;
    return make(parsers, hydrations, creators, target, prototype);
  } catch (error) {
    if (error instanceof EvalError) return undefined;
    throw error;
  }
}

/** As `EntityMetadata.create` does for rows of the database. */
function creationCode({ target, isAlwaysUsingConstructor }: EntityMetadata): string {
  if (typeof target !== 'function') return '{}';
  return isAlwaysUsingConstructor ? 'new Entity()' : 'Object.create(prototype)';
}

/** As `ColumnMetadata.setEntityValue` does: embedded objects are made when their first column is set. */
function targetCode(column: ColumnMetadata, embeddeds: readonly EmbeddedMetadata[]): string {
  let code = 'entity';
  for (const embedded of column.embeddedMetadata?.embeddedMetadataTree ?? []) {
    code = `(${code}[${JSON.stringify(embedded.propertyName)}] ??= c${embeddeds.indexOf(embedded)}())`;
  }
  return `${code}[${JSON.stringify(column.propertyName)}]`;
}
