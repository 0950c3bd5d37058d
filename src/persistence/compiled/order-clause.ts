import type { BoundValues } from './bound-values.js';
import { findColumn, type PropertyTree } from './property-tree.js';
import type { ColumnMetadata } from 'typeorm/metadata/ColumnMetadata.js';

/** One sort key of a page. */
export interface PageOrdering {
  readonly column: ColumnMetadata;
  readonly direction: 'ASC' | 'DESC';
  /** Whether text is sorted byte by byte (`COLLATE "C"`), so that servers of different locales agree. */
  readonly collateC: boolean;
}

const DIRECTIONS = new Map<unknown, string>([
  [undefined, 'asc'],
  ['ASC', 'asc'],
  ['asc', 'asc'],
  [1, 'asc'],
  ['DESC', 'desc'],
  ['desc', 'desc'],
  [-1, 'desc'],
]);

const NULLS = new Map<unknown, string>([
  [undefined, ''],
  ['first', ' nulls first'],
  ['FIRST', ' nulls first'],
  ['last', ' nulls last'],
  ['LAST', ' nulls last'],
]);

/**
 * ORDER BY of the `order` of find options.
 *
 * @returns SQL that begins with a space, or nothing; undefined for what TypeORM should judge
 */
export function orderClause(order: unknown, properties: PropertyTree): string | undefined {
  if (order === undefined) return '';
  const terms = orderTerms(order, properties);
  if (terms === undefined) return undefined;
  return terms.length === 0 ? '' : ` order by ${terms.join(', ')}`;
}

/** ORDER BY of a page. @returns as {@link orderClause} does */
export function pageOrderClause(
  ordering: readonly PageOrdering[],
  properties: PropertyTree,
): string | undefined {
  const keys = pageKeys(ordering, properties);
  if (keys === undefined || keys.length === 0) return undefined;
  return ` order by ${keys.map((key, index) => `${key} ${ordering[index]?.direction ?? ''}`).join(', ')}`;
}

/**
 * The condition for rows behind the given sort keys: beyond the first, or equal in the first and beyond the
 * second, … Written as a comparison of rows, or bounded by the first key, so that an index leads there.
 *
 * @returns SQL; undefined for what TypeORM should judge
 */
export function keysetCondition(
  ordering: readonly PageOrdering[],
  after: readonly unknown[],
  properties: PropertyTree,
  values: BoundValues,
): string | undefined {
  const keys = pageKeys(ordering, properties);
  if (keys === undefined || keys.length === 0 || keys.length !== after.length) return undefined;
  if (after.some((value) => value === null || value === undefined)) return undefined;
  const sides = keys.map((left, index) => ({
    left,
    right: values.add(after[index]),
    comparison: ordering[index]?.direction === 'DESC' ? '<' : '>',
  }));
  const [first] = sides;
  if (first === undefined) return undefined;
  if (sides.every(({ comparison }) => comparison === first.comparison)) {
    const [left, right] = [keys.join(', '), sides.map((side) => side.right).join(', ')];
    return `(${left}) ${first.comparison} (${right})`;
  }
  const alternatives = sides.map(({ left, right, comparison }, index) => {
    const equal = sides.slice(0, index).map((side) => `${side.left} = ${side.right}`);
    return `(${[...equal, `${left} ${comparison} ${right}`].join(' and ')})`;
  });
  return `${first.left} ${first.comparison}= ${first.right} and (${alternatives.join(' or ')})`;
}

function pageKeys(
  ordering: readonly PageOrdering[],
  properties: PropertyTree,
): readonly string[] | undefined {
  const keys: string[] = [];
  for (const { column, collateC } of ordering) {
    const parents = column.embeddedMetadata?.parentPropertyNames ?? [];
    const property = findColumn(properties, column.propertyName, parents);
    if (property === undefined) return undefined;
    keys.push(collateC ? `${property.sql} collate "C"` : property.sql);
  }
  return keys;
}

function orderTerms(order: unknown, properties: PropertyTree): string[] | undefined {
  if (order === null || typeof order !== 'object' || Array.isArray(order)) return undefined;
  const terms: string[] = [];
  const given = order as Readonly<Record<string, unknown>>;
  for (const key in given) {
    const value = given[key];
    if (value === undefined) continue;
    const property = properties.get(key);
    if (property?.kind === 'column') {
      const direction = directionSql(value);
      if (direction === undefined) return undefined;
      terms.push(`${property.sql} ${direction}`);
    } else {
      const nested = property && orderTerms(value, property.properties);
      if (nested === undefined) return undefined;
      terms.push(...nested);
    }
  }
  return terms;
}

function directionSql(value: unknown): string | undefined {
  if (value === null || typeof value !== 'object') return DIRECTIONS.get(value);
  const { direction, nulls } = value as { readonly direction?: unknown; readonly nulls?: unknown };
  const [directionText, nullsText] = [DIRECTIONS.get(direction), NULLS.get(nulls)];
  return directionText === undefined || nullsText === undefined ? undefined : directionText + nullsText;
}
