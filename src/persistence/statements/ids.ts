import type { Token } from './tokens.js';

/** Where an id is found when the statement runs: a parameter, counted from 0, or each item of one. */
export interface IdSource {
  readonly kind: 'value' | 'list';
  readonly index: number;
}

const UUID = /^[\da-f]{8}-[\da-f]{4}-[\da-f]{4}-[\da-f]{4}-[\da-f]{12}$/;
/** What else the server takes for a UUID: braces, upper case, a hyphen after any four digits or none. */
const UUID_SPELLING = /^(?:[\da-f]{4}-?){7}[\da-f]{4}$/i;
const INTEGER = /^(?:0|-?[1-9]\d*)$/;

/** The parameter that these tokens are, cast to `uuid` or not at all. */
export function parameterOf(
  tokens: readonly Token[],
  kind: IdSource['kind'] = 'value',
): IdSource | undefined {
  const [parameter, ...cast] = tokens;
  const type = kind === 'value' ? '::uuid' : '::uuid[]';
  if (parameter === undefined || !/^\$[1-9]\d{0,4}$/.test(parameter)) return undefined;
  if (cast.length > 0 && cast.join('') !== type) return undefined;
  return { kind, index: Number(parameter.slice(1)) - 1 };
}

/** The ids, as the server writes them; undefined where a parameter is not certain to be one. */
export function idsIn(sources: readonly IdSource[], params: readonly unknown[]): string[] | undefined {
  const ids = new Set<string>();
  for (const { kind, index } of sources) {
    const given = params[index];
    if (kind === 'list' && !Array.isArray(given)) return undefined;
    for (const value of kind === 'list' ? (given as readonly unknown[]) : [given]) {
      const id = idOf(value);
      if (id === undefined) return undefined;
      ids.add(id);
    }
  }
  return [...ids];
}

function idOf(value: unknown): string | undefined {
  if (typeof value === 'number') return Number.isSafeInteger(value) ? String(value) : undefined;
  if (typeof value === 'bigint') return String(value);
  if (typeof value !== 'string') return undefined;
  if (UUID.test(value) || INTEGER.test(value)) return value;
  const bare = value.startsWith('{') && value.endsWith('}') ? value.slice(1, -1) : value;
  if (!UUID_SPELLING.test(bare)) return undefined;
  const digits = bare.replaceAll('-', '').toLowerCase();
  return digits.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
}
