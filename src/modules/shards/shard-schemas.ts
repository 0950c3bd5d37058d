import { z } from 'zod';
import { listSchema, tenantIdSchema, userIdSchema } from '../http/schemas.js';

const whyOutSchema = z
  .string()
  .optional()
  .meta({ description: 'Why it is out of use', example: 'does not answer' });

/** All shards, on one page. */
export const shardListSchema = listSchema(
  z.object({
    id: z.string().meta({ example: 's0' }),
    served: z.boolean(),
    reason: z.string().optional().meta({ description: 'Why it is not served' }),
    primary: z.object({ state: z.enum(['up', 'down']), reason: whyOutSchema }),
    replicas: z.array(
      z.object({
        id: z.string().meta({ example: 's0.r1' }),
        state: z.enum(['up', 'lagging', 'down']),
        reason: whyOutSchema,
        lagBytes: z.int().nullable(),
        lagMs: z.int().nullable(),
      }),
    ),
    buckets: z.int(),
  }),
);

/** Whose route is asked for. */
export const routeQuerySchema = z.strictObject({ tenantId: tenantIdSchema, userId: userIdSchema });

/** Where a user's rows are. */
export const routeSchema = z.object({ bucket: z.int(), shardId: z.string() });
