/** What each shard publishes, of every entity's rows, to caches in strict mode: whose they are and which. */
export const CACHE_PUBLICATION = 'shardgate_cache';
