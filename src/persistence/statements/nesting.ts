import type { Token } from './tokens.js';

const OPENING: ReadonlySet<Token> = new Set(['(', '[', 'case']);
const CLOSING: ReadonlySet<Token> = new Set([')', ']', 'end']);

/** How much deeper the tokens behind this one are, in brackets or within CASE. */
function nestingOf(token: Token): 1 | 0 | -1 {
  if (OPENING.has(token)) return 1;
  return CLOSING.has(token) ? -1 : 0;
}

/** The first place outside of all brackets where a token meets the condition; -1 where there is none. */
export function findOutside(
  tokens: readonly Token[],
  meets: (token: Token, at: number) => boolean,
  from = 0,
): number {
  let depth = 0;
  for (let at = from; at < tokens.length; at++) {
    const token = tokens[at] ?? '';
    const step = nestingOf(token);
    if (depth === 0 && step === 0 && meets(token, at)) return at;
    depth += step;
  }
  return -1;
}

/** The parts between the tokens, outside of all brackets, that separate them. */
export function splitOutside(
  tokens: readonly Token[],
  separates: (token: Token, at: number) => boolean,
): readonly (readonly Token[])[] {
  const parts: (readonly Token[])[] = [];
  let start = 0;
  for (;;) {
    const end = findOutside(tokens, separates, start);
    if (end === -1) break;
    parts.push(tokens.slice(start, end));
    start = end + 1;
  }
  parts.push(tokens.slice(start));
  return parts;
}

/** Where the bracket closes that opens at this place; -1 where it does not. */
export function closingOf(tokens: readonly Token[], opening: number): number {
  let depth = 0;
  for (let at = opening; at < tokens.length; at++) {
    depth += nestingOf(tokens[at] ?? '');
    if (depth === 0) return at;
  }
  return -1;
}
