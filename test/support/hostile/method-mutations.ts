import type { Operation } from './openapi-document.js';
import type { Mutation } from './request-draft.js';

/** CONNECT is not among them: it is for a proxy, and has its place among the raw requests. */
const METHODS = [
  'GET',
  'HEAD',
  'POST',
  'PUT',
  'PATCH',
  'DELETE',
  'OPTIONS',
  'TRACE',
  'PROPFIND',
  'LOCK',
  'SEARCH',
  'PURGE',
];

/**
 * The methods that no operation of the path has. What reads the path may be read with HEAD, too; it may be another
 * operation's path with a parameter in the place of a word.
 */
export function methodMutations({ path }: Operation, operations: readonly Operation[]): Mutation[] {
  const documented = new Set(operations.filter((other) => other.path === path).map(({ method }) => method));
  const isRead = operations.some((other) => other.method === 'GET' && patternOf(other).test(path));
  if (isRead) documented.add('HEAD');
  return METHODS.filter((method) => !documented.has(method)).map((method) => ({
    what: `the method ${method}`,
    sites: ['method'],
    effect: 'refused',
    apply: (draft) => ({ ...draft, method }),
  }));
}

function patternOf({ path }: Operation): RegExp {
  return new RegExp(`^${path.replaceAll(/\{\w+\}/g, '[^/]+')}$`);
}

/** A body where none is due, which must change nothing in what the operation does. */
export function surplusBodies({ body }: Operation): Mutation[] {
  if (body !== undefined) return [];
  const surplus: readonly (readonly [string, string])[] = [
    ['application/json', '{"id":"x"}'],
    ['application/json', '{'],
    ['application/json', '{"__proto__":{"x":1}}'],
    ['application/json', ''],
    ['text/plain', 'x'],
    ['multipart/form-data; boundary=x', '--x--'],
    ['', 'x'.repeat(100_000)],
  ];
  return surplus.map(([type, text]) => ({
    what: `a surplus body of ${type}`,
    sites: ['body', 'header.content-type'],
    effect: 'perhaps',
    apply: (draft) => ({ ...draft, rawBody: text, headers: { ...draft.headers, 'content-type': type } }),
  }));
}
