/** What the cache of this process may hold; false where there is none. */
export type CacheLimits = false | { readonly maxBytes: number; readonly tenantShare: number };

/** Injection token of {@link CacheLimits}. */
export const CACHE_LIMITS = Symbol('shardgate cache limits');
