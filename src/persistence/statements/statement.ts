import { onlyComputes } from './calls.js';
import { ID_COLUMN, idsOfCondition, type ConditionedTable } from './condition.js';
import { parameterOf, type IdSource } from './ids.js';
import { closingOf, findOutside, splitOutside } from './nesting.js';
import { nameOf, tokensOf, type Token } from './tokens.js';

/** What a statement does to one table, whatever its parameters are. */
export interface TableWrite {
  /** `schema.table`, without quotes. */
  readonly table: string;
  /** Where the ids are found; undefined: any rows. */
  readonly ids: readonly IdSource[] | undefined;
  /** What can act on tables that refer to this one: removed rows, or changes of these columns. */
  readonly acts:
    { readonly kind: 'delete' } | { readonly kind: 'update'; readonly columns: readonly string[] };
}

/** What a statement of this text writes. */
export type StatementWrites = readonly TableWrite[] | 'anything' | 'nothing';

interface Target extends ConditionedTable {
  readonly table: string;
  /** The place behind it. */
  readonly end: number;
}

/** A longer name is cut by the server. */
const NAME_BYTES_MAX = 63;

const NO_COLUMNS: TableWrite['acts'] = { kind: 'update', columns: [] };

/** Statements of which no kind writes rows, whatever follows. */
const WRITES_NOTHING: ReadonlySet<Token> = new Set(['savepoint', 'release', 'set', 'show', 'begin', 'start']);

/** Reads the text of one statement. */
export function writesOf(sql: string): StatementWrites {
  const tokens = tokensOf(sql);
  if (tokens === undefined || tokens.includes(';')) return 'anything';
  const [first] = tokens;
  if (first === undefined || WRITES_NOTHING.has(first)) return 'nothing';
  switch (first) {
    case 'select':
      return onlyComputes(tokens) ? 'nothing' : 'anything';
    case 'insert':
      return insertion(tokens) ?? 'anything';
    case 'update':
      return update(tokens) ?? 'anything';
    case 'delete':
      return deletion(tokens) ?? 'anything';
    case 'truncate':
      return truncation(tokens) ?? 'anything';
    case 'commit':
    case 'rollback':
      // Of a prepared transaction, it keeps or drops what another session wrote.
      return tokens.includes('prepared') ? 'anything' : 'nothing';
    default:
      return 'anything';
  }
}

function insertion(tokens: readonly Token[]): StatementWrites | undefined {
  if (tokens[1] !== 'into') return undefined;
  const target = targetAt(tokens, 2);
  if (target === undefined) return undefined;
  let at = target.end;
  let columns: readonly (string | undefined)[] = [];
  if (tokens[at] === '(' && tokens[at + 1] !== 'select') {
    const end = closingOf(tokens, at);
    columns = splitOutside(tokens.slice(at + 1, end), isComma).map(onlyName);
    if (end === -1 || columns.includes(undefined)) return undefined;
    at = end + 1;
  }
  const body = tokens.slice(at);
  const conflict = findOutside(body, (token, place) => token === 'conflict' && body[place - 1] === 'on');
  // In a SELECT, these two words can be the condition of a join.
  if (conflict !== -1 && body[0] !== 'values' && body[0] !== 'default') return undefined;
  const rows = conflict === -1 ? body : body.slice(0, conflict - 1);
  const clause = conflict === -1 ? [] : body.slice(conflict + 1);
  if (!onlyComputes(rows) || !onlyComputes(clause)) return undefined;
  const write = { table: target.table, ids: insertedIds(rows, columns), acts: NO_COLUMNS };
  return conflict === -1 ? [write] : onConflict(write, clause);
}

/** @param clause what follows ON CONFLICT */
function onConflict(write: TableWrite, clause: readonly Token[]): StatementWrites | undefined {
  const act = findOutside(clause, (token) => token === 'do');
  if (act === -1) return undefined;
  if (clause[act + 1] === 'nothing') return [write];
  if (clause[act + 1] !== 'update' || clause[act + 2] !== 'set') return undefined;
  const set = assignments(clause.slice(act + 3));
  if (set === undefined) return undefined;
  // The row in the way has the id of the row that was to come if that is part of the index.
  const arbiter = clause.slice(0, act);
  const hasId =
    arbiter[0] === '(' &&
    closingOf(arbiter, 0) === arbiter.length - 1 &&
    splitOutside(arbiter.slice(1, -1), isComma).map(onlyName).includes(ID_COLUMN);
  const ids = hasId && !set.columns.includes(ID_COLUMN) ? write.ids : undefined;
  return [{ ...write, ids, acts: { kind: 'update', columns: set.columns } }];
}

/** Where the rows of VALUES have their ids; undefined where not each is a parameter. */
function insertedIds(
  body: readonly Token[],
  columns: readonly (string | undefined)[],
): readonly IdSource[] | undefined {
  const column = columns.indexOf(ID_COLUMN);
  if (body[0] !== 'values' || column === -1) return undefined;
  const end = findOutside(body, (token) => token === 'returning');
  const ids: IdSource[] = [];
  for (const row of splitOutside(body.slice(1, end === -1 ? body.length : end), isComma)) {
    if (row[0] !== '(' || closingOf(row, 0) !== row.length - 1) return undefined;
    const values = splitOutside(row.slice(1, -1), isComma);
    const id = parameterOf(values[column] ?? []);
    if (id === undefined) return undefined;
    ids.push(id);
  }
  return ids;
}

function update(tokens: readonly Token[]): StatementWrites | undefined {
  const target = targetAt(tokens, 1, ['set']);
  if (target === undefined || tokens[target.end] !== 'set' || !onlyComputes(tokens)) return undefined;
  const set = assignments(tokens.slice(target.end + 1));
  if (set === undefined) return undefined;
  const { columns, condition } = set;
  const ids = columns.includes(ID_COLUMN) ? undefined : idsOfCondition(condition, target);
  return [{ table: target.table, ids, acts: { kind: 'update', columns } }];
}

/** The columns that SET changes, and the condition behind. */
function assignments(
  tokens: readonly Token[],
): { readonly columns: readonly string[]; readonly condition: readonly Token[] } | undefined {
  const { before, condition } = conditionOf(tokens);
  // FROM brings in another table, whose `id` a condition could mean.
  if (findOutside(before, (token, at) => token === 'from' && before[at - 1] !== 'distinct') !== -1) {
    return undefined;
  }
  const columns: string[] = [];
  for (const [column, equals] of splitOutside(before, isComma)) {
    const name = nameOf(column);
    if (name === undefined || equals !== '=') return undefined;
    columns.push(name);
  }
  return { columns, condition };
}

function deletion(tokens: readonly Token[]): StatementWrites | undefined {
  if (tokens[1] !== 'from' || !onlyComputes(tokens)) return undefined;
  const target = targetAt(tokens, 2, ['where', 'returning', 'using']);
  if (target === undefined) return undefined;
  const { before, condition } = conditionOf(tokens.slice(target.end));
  // USING stands before the condition.
  if (before.length > 0) return undefined;
  return [{ table: target.table, ids: idsOfCondition(condition, target), acts: { kind: 'delete' } }];
}

/** WHERE, up to RETURNING, and what stands before it. */
function conditionOf(tokens: readonly Token[]): {
  readonly before: readonly Token[];
  readonly condition: readonly Token[];
} {
  const returning = findOutside(tokens, (token) => token === 'returning');
  const all = returning === -1 ? tokens : tokens.slice(0, returning);
  const where = findOutside(all, (token) => token === 'where');
  return where === -1
    ? { before: all, condition: [] }
    : { before: all.slice(0, where), condition: all.slice(where + 1) };
}

function truncation(tokens: readonly Token[]): StatementWrites | undefined {
  if (tokens.includes('cascade')) return undefined;
  const writes: TableWrite[] = [];
  const options = ['restart', 'continue', 'restrict'];
  let at = tokens[1] === 'table' ? 1 : 0;
  do {
    const target = targetAt(tokens, at + 1, options);
    if (target === undefined || target.alias !== undefined) return undefined;
    writes.push({ table: target.table, ids: undefined, acts: NO_COLUMNS });
    at = target.end;
  } while (tokens[at] === ',');
  const rest = tokens.slice(at).join(' ');
  return /^(?:(?:restart|continue) identity)? ?(?:restrict)?$/.test(rest) ? writes : undefined;
}

/**
 * The table at this place, and its other name if it has one.
 *
 * @param followers words that can follow the table, and are no other name of it; without them, only AS makes one
 */
function targetAt(tokens: readonly Token[], start: number, followers?: readonly Token[]): Target | undefined {
  const path = [tableNameOf(tokens[start])];
  let end = start + 1;
  if (tokens[end] === '.') {
    path.push(tableNameOf(tokens[end + 1]));
    end += 2;
  }
  const name = path.at(-1);
  const schema = path.length === 2 ? path[0] : undefined;
  if (name === undefined || path.includes(undefined) || tokens[end] === '.' || tokens[end] === '*') {
    return undefined;
  }
  let alias: string | undefined;
  const isNamed = tokens[end] === 'as';
  const other = tokens[isNamed ? end + 1 : end];
  if (
    isNamed ||
    (followers !== undefined && nameOf(other) !== undefined && !followers.includes(other ?? ''))
  ) {
    alias = nameOf(other);
    if (alias === undefined) return undefined;
    end += isNamed ? 2 : 1;
  }
  return { table: `${schema ?? 'public'}.${name}`, schema, name, alias, end };
}

function tableNameOf(token: Token | undefined): string | undefined {
  const name = nameOf(token);
  // ONLY is a word of its own; a dot in a name would make two tables read alike.
  if (name === undefined || token === 'only' || name.includes('.')) return undefined;
  return Buffer.byteLength(name) > NAME_BYTES_MAX ? undefined : name;
}

function onlyName(tokens: readonly Token[]): string | undefined {
  return tokens.length === 1 ? nameOf(tokens[0]) : undefined;
}

function isComma(token: Token): boolean {
  return token === ',';
}
