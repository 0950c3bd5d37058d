import { LRUCache } from 'lru-cache';
import { idsIn } from './ids.js';
import type { Referencing } from './references.js';
import { writesOf, type StatementWrites, type TableWrite } from './statement.js';

export { referencingTables, type Referencing } from './references.js';

/** What a statement writes. Structurally the same as src/cache's TableRows; persistence may not import it. */
export interface WrittenTable {
  /** `schema.table`, without quotes; a table without schema is taken to be in `public`. */
  readonly table: string;
  /** Values of the `id` column, UUIDs in lower case; undefined where it is not known which rows. */
  readonly ids: readonly string[] | undefined;
}

/** What the text of a statement does not say. */
export interface WrittenRowsOptions {
  /** Tables that foreign keys drag along; see {@link referencingTables}. None by default. */
  readonly referencing?: Referencing | undefined;
}

/** Texts that stay known, and their characters in total; the least used makes room. */
const TEXTS_MAX = 2_000;
const CHARACTERS_MAX = 4_000_000;
/** Inserts of many rows at once are read again each time. */
const TEXT_LENGTH_MAX = 40_000;

const NONE: readonly string[] = [];

const known = new LRUCache<string, { readonly writes: StatementWrites }>({
  max: TEXTS_MAX,
  maxSize: CHARACTERS_MAX,
  maxEntrySize: TEXT_LENGTH_MAX,
  sizeCalculation: (_writes, sql) => Math.max(1, sql.length),
});

/**
 * The rows that a statement writes, as far as its text and its parameters say.
 *
 * What no text shows is not in it: triggers, rules and views; functions behind operators, casts, defaults and
 * policies; tables that inherit; a `search_path` by which a table without schema is not the one in `public`.
 * Functions that only compute are known by their names, and taken to be the server's own.
 *
 * @param params as they are given to the driver, `$1` first
 * @returns undefined: it writes nothing. 'anything': that cannot be told. Otherwise a superset of the rows whose
 * earlier content, or earlier absence, the statement may have changed; each table once
 */
export function writtenRows(
  sql: string,
  params: readonly unknown[],
  options?: WrittenRowsOptions,
): readonly WrittenTable[] | 'anything' | undefined {
  let entry = known.get(sql);
  if (entry === undefined) {
    entry = { writes: writesOf(sql) };
    known.set(sql, entry);
  }
  const { writes } = entry;
  if (writes === 'anything') return writes;
  if (writes === 'nothing') return undefined;
  const referencing = options?.referencing;
  const [only] = writes;
  if (only !== undefined && writes.length === 1) {
    const others = referencing === undefined ? NONE : draggedAlong(only, referencing);
    if (others.length === 0) return [{ table: only.table, ids: only.ids && idsIn(only.ids, params) }];
  }
  return allTables(writes, params, referencing);
}

function allTables(
  writes: readonly TableWrite[],
  params: readonly unknown[],
  referencing: Referencing | undefined,
): WrittenTable[] {
  const dragged = new Set(
    referencing === undefined ? NONE : writes.flatMap((write) => draggedAlong(write, referencing)),
  );
  const tables = new Map<string, WrittenTable>();
  for (const { table, ids } of writes) {
    tables.set(table, { table, ids: ids && idsIn(ids, params) });
  }
  // Also the table itself, where it refers to itself: any of its rows then.
  for (const table of dragged) tables.set(table, { table, ids: undefined });
  return [...tables.values()];
}

function draggedAlong({ table, acts }: TableWrite, referencing: Referencing): readonly string[] {
  if (acts.kind === 'delete') return referencing(table);
  return acts.columns.length === 0 ? NONE : referencing(table, acts.columns);
}
