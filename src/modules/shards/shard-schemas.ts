import { z } from 'zod';
import { listSchema, tenantIdSchema, userIdSchema } from '../http/schemas.js';

const stateSchema = z.enum(['up', 'down']);

/** All shards, on one page. */
export const shardListSchema = listSchema(
  z.object({
    id: z.string().meta({ example: 's0' }),
    served: z.boolean(),
    reason: z.string().optional().meta({ description: 'Why it is not served' }),
    primary: z.object({ state: stateSchema }),
    replicas: z.array(
      z.object({
        id: z.string().meta({ example: 's0.r1' }),
        state: stateSchema,
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
