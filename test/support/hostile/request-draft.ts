import type { Operation } from './openapi-document.js';

/** A value that takes a field away. */
export const ABSENT = Symbol('absent');

/** A request before it is written down: what a well-behaved client would send, or what was made of that. */
export interface RequestDraft {
  readonly method: string;
  /** By the name of the path's parameter, as they stand in the path: percent-encoded already. */
  readonly path: Readonly<Record<string, string>>;
  /** As they stand behind the question mark, each `name=value`. */
  readonly query: readonly string[];
  /** By name in lower case. */
  readonly headers: Readonly<Record<string, string | readonly string[]>>;
  /** Sent as JSON; undefined for none. */
  readonly body: unknown;
  /** Sent instead of the body, as it is. */
  readonly rawBody?: string | Buffer;
  /** How the body's JSON is written otherwise. */
  readonly respell?: (json: string) => string | Buffer;
}

/** A request as it goes over the wire. */
export interface HostileRequest {
  /** The operation that it was made from. */
  readonly operation: string;
  /** What is wrong with it, for a person. */
  readonly what: string;
  readonly method: string;
  readonly target: string;
  readonly headers: Readonly<Record<string, string | readonly string[]>>;
  readonly body: string | Buffer | undefined;
  /** What must come of it: a refusal, a refusal or an answer that changed nothing, or any answer to a read. */
  readonly expected: 'refused' | 'unchanged' | 'any';
}

/** Where a change of a request is, such as `path.id`, `header.if-match`, `body.updates.0.id` or `body`. */
export type Site = string;

/** One thing that is done to a draft. */
export interface Mutation {
  readonly what: string;
  readonly sites: readonly Site[];
  /**
   * `refused`: no request with it may pass. `harmless`: it may pass, and changes nothing. `perhaps`: it may be
   * acceptable, so that a write with it needs something else to be refused for.
   */
  readonly effect: 'refused' | 'harmless' | 'perhaps';
  readonly apply: (draft: RequestDraft) => RequestDraft;
}

/** Whether two changes are in each other's way. */
export function overlap(a: readonly Site[], b: readonly Site[]): boolean {
  const covers = (outer: Site, inner: Site): boolean => inner === outer || inner.startsWith(`${outer}.`);
  return a.some((one) => b.some((other) => covers(one, other) || covers(other, one)));
}

/** A draft with another header, or without it. */
export function withHeader(
  draft: RequestDraft,
  name: string,
  value: string | readonly string[] | undefined,
): RequestDraft {
  const others = Object.entries(draft.headers).filter(([other]) => other !== name);
  return { ...draft, headers: Object.fromEntries(value === undefined ? others : [...others, [name, value]]) };
}

/** A draft whose body has another value at a place. */
export function withBodyAt(draft: RequestDraft, place: readonly string[], value: unknown): RequestDraft {
  return { ...draft, body: replacedAt(draft.body, place, value) };
}

/** What a draft asks for, as it goes over the wire. */
export function targetOf({ path }: Operation, draft: RequestDraft): string {
  const filled = path.replaceAll(/\{(\w+)\}/g, (_, name: string) => draft.path[name] ?? '');
  return draft.query.length === 0 ? filled : `${filled}?${draft.query.join('&')}`;
}

/** A copy of a value in which another stands at a place, or, with {@link ABSENT}, none. */
export function replacedAt(within: unknown, [name, ...rest]: readonly string[], value: unknown): unknown {
  if (name === undefined) return value;
  if (Array.isArray(within)) {
    return within.map((item: unknown, index) =>
      String(index) === name ? replacedAt(item, rest, value) : item,
    );
  }
  const fields = typeof within === 'object' && within !== null ? Object.entries(within) : [];
  const others = fields.filter(([key]) => key !== name);
  const replaced = replacedAt(Object.fromEntries(fields)[name], rest, value);
  // Through entries: a field called __proto__ must become a field.
  return Object.fromEntries(replaced === ABSENT ? others : [...others, [name, replaced]]);
}
