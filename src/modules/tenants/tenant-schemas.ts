import { z } from 'zod';
import { SHARD_ID_PATTERN } from '../../common/identifiers.js';
import { cursorSchema, limitSchema, listSchema, tenantIdSchema, textSchema } from '../http/schemas.js';

const NAME_MAX = 200;

const nameSchema = textSchema(NAME_MAX).refine((name) => name.trim() !== '', 'must not be blank');

const placementSchema = z.discriminatedUnion('mode', [
  z.strictObject({ mode: z.literal('pooled') }),
  z.strictObject({
    mode: z.literal('dedicated'),
    shardId: z.string().regex(SHARD_ID_PATTERN, 'must be the id of a configured shard'),
  }),
]);

const quotaSchema = z.strictObject({
  requestsPerSecond: z.number().positive().max(1_000_000).exactOptional(),
  cacheShare: z.number().gt(0).max(1).exactOptional(),
  accounts: z.int().min(0).exactOptional(),
});

/** The body that creates a tenant. */
export const newTenantSchema = z.strictObject({
  id: tenantIdSchema,
  name: nameSchema,
  placement: placementSchema.optional(),
  subMinorUnits: z.boolean().optional(),
  quota: quotaSchema.optional(),
});

/** The body that changes a tenant; at least one field. */
export const tenantChangeSchema = z
  .strictObject({
    name: nameSchema.optional(),
    status: z.enum(['active', 'suspended']).optional(),
    quota: quotaSchema.optional(),
  })
  .refine((change) => Object.keys(change).length > 0, 'must change something: name, status or quota');

/** The query of the list of tenants. */
export const tenantListQuerySchema = z.strictObject({ cursor: cursorSchema.optional(), limit: limitSchema });

/** The id of a key: what stands between the underscores of the key. */
export const keyIdSchema = z.string().regex(/^[a-z0-9]{12}$/, 'must be the id of a key: 12 characters');

/** A tenant as it is answered. */
export const tenantSchema = z.object({
  id: tenantIdSchema,
  name: z.string(),
  status: z.enum(['active', 'suspended']),
  placement: placementSchema,
  subMinorUnits: z.boolean(),
  quota: quotaSchema,
  createdAt: z.iso.datetime(),
  updatedAt: z.iso.datetime(),
});

/** A tenant with what it keeps where. */
export const tenantWithUsageSchema = tenantSchema.extend({
  usage: z.array(
    z.object({
      shardId: z.string(),
      accounts: z.int().nullable().meta({ description: 'Null while the shard is away' }),
    }),
  ),
});

/** A tenant at its creation, with its first key. */
export const createdTenantSchema = tenantSchema.extend({
  apiKey: z.string().meta({ description: 'Shown this once' }),
});

/** A page of tenants. */
export const tenantListSchema = listSchema(tenantWithUsageSchema);

/** A key at its creation. */
export const addedKeySchema = z.object({
  keyId: z.string(),
  apiKey: z.string().meta({ description: 'Shown this once' }),
});
