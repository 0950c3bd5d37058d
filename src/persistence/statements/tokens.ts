/**
 * One token of a statement: an unquoted word in lower case (`where`), a quoted name behind one quote
 * (`"Invoices`), a parameter (`$1`), an operator or a bracket as it is, `'` for any string, `0` for any number.
 */
export type Token = string;

const BLANK = /[ \t\n\r\f\v]+|--[^\n\r]*/y;
/** Every character beyond ASCII is a letter to the server. */
const WORD = /[A-Za-z_\u0080-\uffff][\w$\u0080-\uffff]*/y;
const PARAMETER = /\$\d+(?![\w$\u0080-\uffff])/y;
const NUMBER = /(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?(?![\w$\u0080-\uffff])/y;
/** Operators end where a comment begins. */
const OPERATOR = /(?:(?!--|\/\*)[-+*/<>=~!@#%^&|`?])+/y;
const PUNCTUATION = /::|[()[\],.;:]/y;
const COMMENT_EDGE = /\/\*|\*\//g;
const UPPER_CASE = /[A-Z]/g;

/**
 * The tokens of a statement as the server reads them, comments left out.
 *
 * @returns undefined for what is not certain to be read alike: dollar quotes, strings with backslashes and
 * Unicode escapes, control characters, what has no end
 */
export function tokensOf(sql: string): Token[] | undefined {
  // The protocol ends a statement's text there.
  if (sql.includes('\0')) return undefined;
  const tokens: Token[] = [];
  let at = 0;
  const match = (pattern: RegExp): string | undefined => {
    pattern.lastIndex = at;
    const text = pattern.exec(sql)?.[0];
    if (text !== undefined) at += text.length;
    return text;
  };
  while (at < sql.length) {
    const first = sql.charAt(at);
    if (match(BLANK) !== undefined) continue;
    if (first === '/' && sql.charAt(at + 1) === '*') {
      const end = endOfComment(sql, at);
      if (end === undefined) return undefined;
      at = end;
    } else if (first === '"' || first === "'") {
      const end = endOfQuoted(sql, at, first);
      if (end === undefined) return undefined;
      const content = sql.slice(at + 1, end - 1);
      // Whether a backslash escapes is a setting of the session's.
      if (first === "'" && content.includes('\\')) return undefined;
      tokens.push(first === '"' ? `"${content.replaceAll('""', '"')}` : "'");
      at = end;
    } else {
      const word = match(WORD);
      if (word !== undefined) {
        // Strings and names with escapes: E'…', U&'…', U&"…".
        if (word.length === 1 && /[eEuU]/.test(word) && /['&]/.test(sql.charAt(at))) return undefined;
        const name = word.replace(UPPER_CASE, (letter) => letter.toLowerCase());
        // Behind a dot, even a reserved word is a name.
        tokens.push(tokens.at(-1) === '.' ? `"${name}` : name);
        continue;
      }
      const token =
        match(PARAMETER) ??
        (match(NUMBER) === undefined ? undefined : '0') ??
        match(OPERATOR) ??
        match(PUNCTUATION);
      if (token === undefined) return undefined;
      tokens.push(token);
    }
  }
  return tokens;
}

/** The name that a token is, as the server keeps it; undefined for what is no name. */
export function nameOf(token: Token | undefined): string | undefined {
  if (token === undefined) return undefined;
  if (token.startsWith('"')) return token.slice(1);
  return /^[a-z_\u0080-\uffff]/.test(token) ? token : undefined;
}

/** Comments nest. */
function endOfComment(sql: string, start: number): number | undefined {
  let depth = 0;
  COMMENT_EDGE.lastIndex = start;
  for (let edge = COMMENT_EDGE.exec(sql); edge !== null; edge = COMMENT_EDGE.exec(sql)) {
    depth += edge[0] === '/*' ? 1 : -1;
    if (depth === 0) return COMMENT_EDGE.lastIndex;
  }
  return undefined;
}

function endOfQuoted(sql: string, start: number, quote: string): number | undefined {
  for (let at = sql.indexOf(quote, start + 1); at !== -1; at = sql.indexOf(quote, at + 2)) {
    if (sql.charAt(at + 1) !== quote) return at + 1;
  }
  return undefined;
}
