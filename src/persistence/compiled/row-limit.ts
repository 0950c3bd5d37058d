import type { BoundValues } from './bound-values.js';

/**
 * Limits that stand in the text: a row, and the usual lengths of lists with and without the one row more that
 * says whether a list goes on. The server then plans for that many rows, once.
 */
const PLANNED_LIMITS: ReadonlySet<number> = new Set([1, 10, 11, 20, 21, 50, 51, 100, 101]);

/**
 * LIMIT and OFFSET. Unusual limits are parameters, so that whoever may choose a limit cannot have the server
 * prepare a statement for each.
 *
 * @returns SQL that begins with a space, or nothing; undefined for what TypeORM should judge
 */
export function rowLimit(take: unknown, skip: unknown, values: BoundValues): string | undefined {
  if (!isRowCount(take) || !isRowCount(skip)) return undefined;
  let sql = '';
  if (take !== undefined) sql += ` limit ${PLANNED_LIMITS.has(take) ? take : values.add(take)}`;
  if (skip !== undefined) sql += ` offset ${values.add(skip)}`;
  return sql;
}

function isRowCount(value: unknown): value is number | undefined {
  return value === undefined || (Number.isSafeInteger(value) && (value as number) >= 0);
}
