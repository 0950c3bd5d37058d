/** Whether an answer may come from the cache and be kept there; `ttlMs`: and be no older than that, ms. */
export type CacheChoice = boolean | { readonly ttlMs: number };

/** The tables of entities, as `schema.table`, and what each entity was declared with. */
export type KnownTables = ReadonlyMap<string, CacheChoice | undefined>;

/** What holds for an answer that is made of several entities' rows: what the most careful of them says. */
export function strictestChoice(choices: readonly (CacheChoice | undefined)[]): CacheChoice | undefined {
  if (choices.includes(false)) return false;
  const ttls = choices.filter((choice) => typeof choice === 'object').map(({ ttlMs }) => ttlMs);
  return ttls.length === 0 ? undefined : { ttlMs: Math.min(...ttls) };
}
