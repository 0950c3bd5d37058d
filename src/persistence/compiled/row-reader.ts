import type { EntityMetadata } from 'typeorm';
import type { ColumnMetadata } from 'typeorm/metadata/ColumnMetadata.js';
import type { EmbeddedMetadata } from 'typeorm/metadata/EmbeddedMetadata.js';
import { fieldReaderOf, type FieldReader, type RowFields, type TextParser } from './field-reader.js';

/**
 * Turns the fields of one row into an entity. A row may be read again and again, and is the reader's to write to:
 * see {@link FieldReader}.
 *
 * @param known values of the columns that are known to the reader, in its order
 */
export type RowReader<T> = (fields: RowFields, known: readonly string[]) => T;

/** Where the value of a column comes from: a field of the row, or what is known of every row. */
type Source =
  | { readonly kind: 'field'; readonly index: number; readonly read: FieldReader | undefined }
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
    return (entity: object, ...[fields, values]: Parameters<RowReader<unknown>>): void => {
      column.setEntityValue(entity, valueFrom(source, fields, values));
    };
  });
  return (fields, values) => {
    const entity = metadata.create(undefined, { fromDeserializer: true }) as object;
    for (const step of steps) step(entity, fields, values);
    return entity;
  };
}

function valueFrom(source: Source, fields: RowFields, known: readonly string[]): unknown {
  if (source.kind === 'known') return known[source.index];
  return source.read === undefined ? fields[source.index] : source.read(fields, source.index);
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
    return { column, source: { kind: 'field', index, read: fieldReaderOf(column, parsers[index]) } };
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
  const readers = sources.map(({ source }) => (source.kind === 'field' ? source.read : undefined));
  const embeddeds = metadata.allEmbeddeds;
  const code = [
    '"use strict";',
    ...readers.map((_, place) => `const r${place} = readers[${place}];`),
    ...embeddeds.map((_, index) => `const c${index} = creators[${index}];`),
    'return (fields, known) => {',
    `const entity = ${creationCode(metadata)};`,
    ...sources.map(({ column, source }, place) => {
      const target = targetCode(column, embeddeds);
      if (source.kind === 'known') return `${target} = known[${source.index}];`;
      const field =
        source.read === undefined ? `fields[${source.index}]` : `r${place}(fields, ${source.index})`;
      return `${target} = ${field};`;
    }),
    'return entity; };',
  ].join('\n');
  const creators = embeddeds.map((embedded) => () => embedded.create() as object);
  const { target } = metadata;
  const prototype = typeof target === 'function' ? (target.prototype as object) : null;
  try {
    const make = Reflect.construct(Function, [...['readers', 'creators', 'Entity', 'prototype'], code]) as (
      ...args: unknown[]
    ) => RowReader<unknown>;
    return make(readers, creators, target, prototype);
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
