import type { EntityMetadata } from 'typeorm';
import type { ColumnMetadata } from 'typeorm/metadata/ColumnMetadata.js';
import type { EmbeddedMetadata } from 'typeorm/metadata/EmbeddedMetadata.js';
import { hydrationOf } from './column-kind.js';

/** What the driver makes of a field's text, in PostgreSQL's text format; never undefined. */
export type TextParser = (text: string) => unknown;

/** Turns the text fields of one row, in the order of the statement's columns, into an entity. */
export type RowReader<T> = (fields: readonly (string | null)[]) => T;

type Hydration = (value: unknown) => unknown;

/** The columns that a read of the entity selects, in that order. */
export function readColumnsOf(metadata: EntityMetadata): readonly ColumnMetadata[] {
  // TypeORM selects keys even where they are hidden, and does not show join columns without a property.
  return metadata.columns.filter(
    ({ isSelect, isPrimary, isVirtual }) => (isSelect || isPrimary) && !isVirtual,
  );
}

/** A reader of the entity's rows, as code made for this entity where the process allows that. */
export function compileRowReader(
  metadata: EntityMetadata,
  parsers: readonly TextParser[],
): RowReader<unknown> {
  const columns = readColumnsOf(metadata);
  if (parsers.length !== columns.length) {
    throw new TypeError(`${metadata.name} has ${columns.length} columns to read, not ${parsers.length}.`);
  }
  return generateReader(metadata, columns, parsers) ?? closureReader(metadata, columns, parsers);
}

/** A reader without generated code, for processes that forbid it (`--disallow-code-generation-from-strings`). */
export function closureReader(
  metadata: EntityMetadata,
  columns: readonly ColumnMetadata[],
  parsers: readonly TextParser[],
): RowReader<unknown> {
  const steps = columns.map((column, index) => {
    const [parse, hydrate] = [parsers[index] ?? String, hydrationOf(column)];
    return (entity: object, text: string | null | undefined): void => {
      const parsed = text === null || text === undefined ? null : parse(text);
      column.setEntityValue(entity, hydrate === undefined ? parsed : hydrate(parsed));
    };
  });
  return (fields) => {
    const entity = metadata.create(undefined, { fromDeserializer: true }) as object;
    for (const [index, step] of steps.entries()) step(entity, fields[index]);
    return entity;
  };
}

/**
 * The same as straight-line code: entities are then of one hidden class, and nothing is looked up per row. The
 * only text of others' in it is names of properties, as JSON strings.
 */
function generateReader(
  metadata: EntityMetadata,
  columns: readonly ColumnMetadata[],
  parsers: readonly TextParser[],
): RowReader<unknown> | undefined {
  const hydrations: (Hydration | undefined)[] = columns.map(hydrationOf);
  const embeddeds = metadata.allEmbeddeds;
  const code = [
    '"use strict";',
    ...columns.map((_, index) => `const p${index} = parsers[${index}], h${index} = hydrations[${index}];`),
    ...embeddeds.map((_, index) => `const c${index} = creators[${index}];`),
    'return (fields) => {',
    `const entity = ${creationCode(metadata)};`,
    'let value;',
    ...columns.map((column, index) => {
      const parsed = `value = fields[${index}]; if (value !== null) value = p${index}(value);`;
      const hydrated = hydrations[index] === undefined ? '' : ` value = h${index}(value);`;
      return `${parsed}${hydrated} ${targetCode(column, embeddeds)} = value;`;
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
