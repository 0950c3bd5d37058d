import { parameterOf, type IdSource } from './ids.js';
import { closingOf, findOutside, splitOutside } from './nesting.js';
import { nameOf, type Token } from './tokens.js';

/** The column that identifies rows. */
export const ID_COLUMN = 'id';

/** The one table whose columns a condition can name. */
export interface ConditionedTable {
  readonly schema: string | undefined;
  readonly name: string;
  /** It then has no other name. */
  readonly alias: string | undefined;
}

/** Deeper conditions are not looked into. */
const DEPTH_MAX = 50;

/**
 * Reserved words that make of what they stand in something else than operands of AND and OR: a subquery. FROM
 * is such a word too, but for IS DISTINCT FROM.
 */
const NO_CONDITION: ReadonlySet<Token> = new Set([
  ...['select', 'values', 'table', 'union', 'intersect', 'except', 'where', 'group', 'having', 'window'],
  ...[
    'order',
    'limit',
    'offset',
    'fetch',
    'for',
    'as',
    'on',
    'using',
    'with',
    'into',
    'returning',
    'collate',
  ],
]);

/**
 * The ids of all rows that a condition can hold for; undefined where it does not say, and then it can be any
 * row. Whatever is not `id = $1` or alike to the letter says nothing; AND needs one side that says, OR both.
 */
export function idsOfCondition(
  tokens: readonly Token[],
  table: ConditionedTable,
  depth = 0,
): readonly IdSource[] | undefined {
  if (depth > DEPTH_MAX || !isCondition(tokens)) return undefined;
  const alternatives = splitOutside(tokens, (token) => token === 'or');
  if (alternatives.length > 1) {
    const sources: IdSource[] = [];
    for (const alternative of alternatives) {
      const ids = idsOfCondition(alternative, table, depth + 1);
      if (ids === undefined) return undefined;
      sources.push(...ids);
    }
    return sources;
  }
  for (const term of termsOf(tokens)) {
    const isBracketed = term[0] === '(' && closingOf(term, 0) === term.length - 1;
    const ids = isBracketed ? idsOfCondition(term.slice(1, -1), table, depth + 1) : idsOfTerm(term, table);
    if (ids !== undefined) return ids;
  }
  return undefined;
}

function isCondition(tokens: readonly Token[]): boolean {
  const unlike = findOutside(
    tokens,
    (token, at) => NO_CONDITION.has(token) || (token === 'from' && tokens[at - 1] !== 'distinct'),
  );
  return unlike === -1;
}

/** What AND joins. The AND of BETWEEN is none of these, and what follows it can still belong to the bound. */
function termsOf(tokens: readonly Token[]): readonly (readonly Token[])[] {
  let bounds = 0;
  return splitOutside(tokens, (token) => {
    if (token === 'between') bounds++;
    if (token !== 'and') return false;
    if (bounds === 0) return true;
    bounds--;
    return false;
  });
}

/** `id = $1`, `id in ($1, …)`, `id = any($1)`, `id = any(array[$1, …])`. */
function idsOfTerm(term: readonly Token[], table: ConditionedTable): readonly IdSource[] | undefined {
  const columnLength = idColumnLength(term, table);
  if (columnLength === undefined) return undefined;
  const operator = term[columnLength];
  const operand = term.slice(columnLength + 1);
  if (operator === 'in') return operand[0] === '(' ? listed(operand, 0) : undefined;
  if (operator !== '=') return undefined;
  if (operand[0] !== 'any') return single(parameterOf(operand));
  if (operand[1] !== '(' || operand.at(-1) !== ')') return undefined;
  const list = operand.slice(2, -1);
  if (list[0] !== 'array' || list[1] !== '[') return single(parameterOf(list, 'list'));
  const end = closingOf(list, 1);
  const cast = list.slice(end + 1).join('');
  return cast === '' || cast === '::uuid[]' ? listed(list.slice(0, end + 1), 1) : undefined;
}

/** How many tokens at the beginning name the column, alone or behind the table's name. */
function idColumnLength(term: readonly Token[], table: ConditionedTable): number | undefined {
  const names = [nameOf(term[0])];
  while (term[names.length * 2 - 1] === '.') names.push(nameOf(term[names.length * 2]));
  const path =
    table.alias === undefined ? [table.schema, table.name, ID_COLUMN] : [undefined, table.alias, ID_COLUMN];
  const isId = names.length <= path.length && names.every((name, at) => name === path.at(at - names.length));
  return isId && names[0] !== undefined ? names.length * 2 - 1 : undefined;
}

/** The parameters in the bracket that opens at this place and ends the tokens. */
function listed(tokens: readonly Token[], opening: number): readonly IdSource[] | undefined {
  if (closingOf(tokens, opening) !== tokens.length - 1) return undefined;
  const sources: IdSource[] = [];
  for (const item of splitOutside(tokens.slice(opening + 1, -1), (token) => token === ',')) {
    const source = parameterOf(item);
    if (source === undefined) return undefined;
    sources.push(source);
  }
  return sources;
}

function single(source: IdSource | undefined): readonly IdSource[] | undefined {
  return source && [source];
}
