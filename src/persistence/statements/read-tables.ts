import { LRUCache } from 'lru-cache';
import { onlyComputes } from './calls.js';
import { nameOf, tokensOf, type Token } from './tokens.js';

/** Texts that stay known; the least used makes room. */
const TEXTS_MAX = 2_000;

/** Words whose value is another one each time, or that lock rows, store them, or name what is no table. */
const NOT_OF_ROWS_ALONE: ReadonlySet<Token> = new Set([
  ...[';', 'for', 'into', 'with', 'tablesample', 'age', 'now', 'clock_timestamp', 'statement_timestamp'],
  ...[
    'transaction_timestamp',
    'current_timestamp',
    'current_date',
    'current_time',
    'localtimestamp',
    'localtime',
  ],
  ...['current_user', 'current_role', 'session_user', 'user', 'current_catalog', 'current_schema'],
  ...['gen_random_uuid', 'uuidv4', 'uuidv7', 'uuid_generate_v1', 'uuid_generate_v4'],
]);

/** What ends the list of tables of a SELECT. */
const AFTER_TABLES: ReadonlySet<Token> = new Set([
  ...[
    'where',
    'group',
    'having',
    'window',
    'order',
    'limit',
    'offset',
    'fetch',
    'union',
    'intersect',
    'except',
  ],
]);

/** What can stand between FROM or a comma and the table. */
const BEFORE_TABLE: ReadonlySet<Token> = new Set(['lateral', 'only']);

const known = new LRUCache<string, { readonly tables: readonly string[] | undefined }>({ max: TEXTS_MAX });

/**
 * The tables whose rows a SELECT's answer is made of, and of nothing else: as `schema.table`, without quotes.
 *
 * @returns undefined for what is no SELECT, and where it cannot be told: functions that are not known to only
 *   compute, the time, locks, common table expressions. Whether a name is a table or a view is not seen here
 */
export function readTables(sql: string): readonly string[] | undefined {
  let entry = known.get(sql);
  if (entry === undefined) {
    entry = { tables: tablesOf(sql) };
    known.set(sql, entry);
  }
  return entry.tables;
}

function tablesOf(sql: string): readonly string[] | undefined {
  const tokens = tokensOf(sql);
  if (tokens?.[0] !== 'select' || tokens.some((token) => NOT_OF_ROWS_ALONE.has(token))) return undefined;
  if (!onlyComputes(tokens)) return undefined;
  const tables = new Set<string>();
  /** Per open bracket, the statement itself first: whether it is a SELECT, and its list of tables is open. */
  const open = [{ isSelect: true, isInTables: false }];
  for (let at = 0; at < tokens.length; at += 1) {
    const token = tokens[at] ?? '';
    const inner = open.at(-1);
    if (inner === undefined) return undefined;
    if (token === '(') open.push({ isSelect: tokens[at + 1] === 'select', isInTables: false });
    else if (token === ')') open.pop();
    else if (AFTER_TABLES.has(token)) inner.isInTables = false;
    else if (inner.isSelect && beginsTable(tokens, at, inner.isInTables)) {
      inner.isInTables = true;
      const table = tableAt(tokens, at + 1);
      if (table === undefined) return undefined;
      if (table !== '(') tables.add(table);
    }
  }
  return [...tables];
}

/** Whether what follows this token is a table, or a SELECT in brackets that takes the place of one. */
function beginsTable(tokens: readonly Token[], at: number, isInTables: boolean): boolean {
  const token = tokens[at];
  if (token === 'from') return tokens[at - 1] !== 'distinct';
  return token === 'join' || (token === ',' && isInTables);
}

/** @returns the table, `(` for a SELECT in its place, or undefined for what is neither */
function tableAt(tokens: readonly Token[], start: number): string | undefined {
  let at = start;
  while (BEFORE_TABLE.has(tokens[at] ?? '')) at += 1;
  if (tokens[at] === '(') return tokens[at + 1] === 'select' ? '(' : undefined;
  const first = nameOf(tokens[at]);
  const isPath = tokens[at + 1] === '.';
  const last = isPath ? nameOf(tokens[at + 2]) : first;
  const behind = tokens[at + (isPath ? 3 : 1)];
  // A function in the place of a table, or a name of three parts.
  if (first === undefined || last === undefined || behind === '(' || behind === '.') return undefined;
  return isPath ? `${first}.${last}` : `public.${last}`;
}
