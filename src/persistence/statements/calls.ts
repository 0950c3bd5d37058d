import type { Token } from './tokens.js';

/** Words that stand before a bracket without being a function; the server lets no function be named so. */
const KEYWORDS = [
  ...[
    'all',
    'and',
    'any',
    'array',
    'case',
    'distinct',
    'else',
    'except',
    'from',
    'having',
    'in',
    'intersect',
  ],
  ...[
    'lateral',
    'limit',
    'not',
    'offset',
    'on',
    'or',
    'returning',
    'select',
    'some',
    'then',
    'union',
    'using',
  ],
  ...['when', 'where', 'between', 'exists', 'row', 'values', 'cast'],
  ...['bit', 'char', 'character', 'decimal', 'float', 'interval', 'numeric', 'time', 'timestamp', 'varchar'],
];

/** Functions of the server that only compute, among them those that TypeORM itself writes. */
const FUNCTIONS = [
  ...['coalesce', 'nullif', 'greatest', 'least', 'abs', 'ceil', 'floor', 'round', 'mod', 'sign'],
  ...['lower', 'upper', 'concat', 'length', 'char_length', 'trim', 'btrim', 'ltrim', 'rtrim', 'substring'],
  ...['position', 'replace', 'md5', 'now', 'clock_timestamp', 'statement_timestamp', 'transaction_timestamp'],
  ...[
    'current_timestamp',
    'current_time',
    'localtimestamp',
    'localtime',
    'date_trunc',
    'date_part',
    'extract',
  ],
  ...['to_char', 'to_date', 'to_timestamp', 'age', 'gen_random_uuid', 'uuidv4', 'uuidv7'],
  ...['uuid_generate_v1', 'uuid_generate_v4', 'count', 'sum', 'avg', 'min', 'max', 'bool_and', 'bool_or'],
  ...['string_agg', 'array_agg', 'row_number', 'rank', 'dense_rank', 'cardinality', 'array_length'],
  ...['st_geomfromgeojson', 'st_setsrid'],
];

const BEFORE_BRACKET: ReadonlySet<Token> = new Set([...KEYWORDS, ...FUNCTIONS]);

/** Words that are no function behind these, and could be one elsewhere. */
const BEFORE_BRACKET_BEHIND: Readonly<Record<Token, readonly Token[]>> = {
  by: ['order', 'group', 'partition'],
  over: [')'],
  filter: [')'],
  join: ['left', 'right', 'full', 'inner', 'outer', 'cross'],
};

/**
 * Whether these tokens write nothing by themselves: no function but those known to only compute, no statement
 * within (WITH), no second statement, no table made (INTO).
 */
export function onlyComputes(tokens: readonly Token[]): boolean {
  return tokens.every((token, at) => {
    if (token === ';' || token === 'into') return false;
    if (token === 'with') return tokens[at + 1] === 'time' && tokens[at + 2] === 'zone';
    return token !== '(' || at === 0 || isHarmlessBeforeBracket(tokens, at - 1);
  });
}

function isHarmlessBeforeBracket(tokens: readonly Token[], at: number): boolean {
  const token = tokens[at] ?? '';
  if (!/^["a-z_\u0080-\uffff]/.test(token)) return true;
  const before = tokens[at - 1];
  // The length of a type: `$1::varchar(10)`.
  if (before === '::') return true;
  if (BEFORE_BRACKET.has(token)) return true;
  return (
    before !== undefined &&
    Object.hasOwn(BEFORE_BRACKET_BEHIND, token) &&
    BEFORE_BRACKET_BEHIND[token]?.includes(before) === true
  );
}
