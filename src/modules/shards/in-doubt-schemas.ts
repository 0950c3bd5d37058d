import { z } from 'zod';
import { listSchema } from '../http/schemas.js';

/** Transactions over several shards that are prepared and not finished, on one page. */
export const inDoubtListSchema = listSchema(
  z.object({
    gid: z.string().meta({ description: 'Its name on the servers, as in pg_prepared_xacts' }),
    shards: z.array(z.string()).meta({ description: 'Where a part of it waits', example: ['s1'] }),
    ageMs: z.int().meta({ description: 'Of its oldest part' }),
    decision: z
      .enum(['commit', 'abort'])
      .nullable()
      .meta({ description: 'What its parts will follow; null while nothing is decided, or known' }),
  }),
).extend({
  missingShards: z.array(z.string()).meta({ description: 'Shards that could not be asked' }),
});
