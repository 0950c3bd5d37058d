import type { BoundValues } from './bound-values.js';

/**
 * LIMIT and OFFSET. The limit stands in the text: the server then plans for it once, and lists are read in few
 * different lengths. The offset, different from page to page, is a parameter.
 *
 * @returns SQL that begins with a space, or nothing; undefined for what TypeORM should judge
 */
export function rowLimit(take: unknown, skip: unknown, values: BoundValues): string | undefined {
  if (!isRowCount(take) || !isRowCount(skip)) return undefined;
  const limit = take === undefined ? '' : ` limit ${take}`;
  return skip === undefined ? limit : `${limit} offset ${values.add(skip)}`;
}

function isRowCount(value: unknown): value is number | undefined {
  return value === undefined || (Number.isSafeInteger(value) && (value as number) >= 0);
}
