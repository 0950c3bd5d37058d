import { z } from 'zod';
import { tenantIdSchema } from '../http/schemas.js';

const count = (description: string) => z.int().meta({ description });

/** Whose part of the cache is meant; without a tenant, all of it. */
export const cacheQuerySchema = z.strictObject({
  tenantId: tenantIdSchema.optional().meta({ description: 'Of this tenant only', example: 'acme' }),
});

/** What the cache of a process holds and did. */
export const cacheViewSchema = z.object({
  enabled: z.boolean().meta({ description: 'False with the option cache: false; all counts are 0 then' }),
  hits: count('Reads that the cache answered'),
  misses: count('Reads that a database was asked for'),
  joins: count('Reads that were answered by a miss of another read that was under way'),
  hitRate: z.number().min(0).max(1).nullable().meta({
    description: 'Hits and joins among hits, joins and misses; null before the first of them',
    example: 0.95,
  }),
  entries: count('Answers that are kept'),
  bytes: count('Heap that they take, about'),
  maxBytes: count('Heap that they may take; of a tenant, its share'),
  evictions: count('Answers that made room for others'),
  invalidations: count('Commits around which answers were set aside, here or in another process'),
  refused: count('Answers that were not kept, because what they show may have changed meanwhile'),
  bypasses: z
    .object({
      asked: count('By the caller: Cache-Control: no-cache, cache: false, from: "primary"'),
      uncacheable: count('By their nature: it is not known which rows the answer depends on'),
    })
    .meta({ description: 'Reads that went past the cache' }),
});

/** What was emptied. */
export const clearedCacheSchema = z.object({ dropped: count('Answers that were kept until then') });
