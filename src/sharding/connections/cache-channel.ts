/** On which gateway processes notify each other, on each shard's primary, of what they wrote. */
export const CACHE_CHANNEL = 'shardgate_cache';
