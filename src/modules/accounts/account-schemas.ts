import { z } from 'zod';
import { currencySchema, cursorSchema, limitSchema, listSchema } from '../http/schemas.js';
import { parseAmount } from '../money/amount.js';
import { ACCOUNT_STATUSES } from './account-status.js';
import { accountViewSchema } from './account-view.js';

const UPDATES_MAX = 10_000;
/** An IBAN as it is printed is longer than it is kept. */
const NUMBER_INPUT_MAX = 64;

const accountNumberSchema = z
  .string()
  .max(NUMBER_INPUT_MAX, 'must have at most 34 characters')
  .meta({ description: 'Unique within the tenant; what claims to be an IBAN must be one', example: 'ACC-1' });

/**
 * The id of a row in a path; lower case, whatever came in. Any UUID passes: one that no gateway made belongs
 * to no row, which is for the answer to say.
 */
export const rowIdSchema = z
  .string()
  .regex(/^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i, 'must be a UUID')
  .transform((id) => id.toLowerCase())
  .meta({ format: 'uuid' });

/** The body that creates an account. */
export const newAccountSchema = z.strictObject({
  accountNumber: accountNumberSchema,
  currency: currencySchema,
  openingBalance: z
    .string({ error: 'must be a string, such as "12.50"' })
    .optional()
    .meta({ description: 'A decimal string; the account begins with a deposit of it', example: '100.00' }),
});

/** The query of the list of accounts. */
export const accountListQuerySchema = z.strictObject({
  cursor: cursorSchema.optional(),
  limit: limitSchema,
  accountNumber: accountNumberSchema.optional(),
  partial: z.enum(['true', 'false'], { error: 'must be true or false' }).optional().meta({
    description: 'Whether a shard that is away is named in missingShards instead of failing the call',
  }),
});

const statusSchema = z.enum(ACCOUNT_STATUSES, { error: `must be one of ${ACCOUNT_STATUSES.join(', ')}` });

const limitAmountSchema = z
  .string({ error: 'must be a string, such as "12.50"' })
  .refine(
    (text) => parseAmount(text) !== undefined,
    'must be a decimal of at most 16 integer and 4 fraction digits, without a sign',
  )
  .meta({
    description: "How far the available balance may go below zero; set by the tenant's service alone",
    example: '500.00',
  });

/** The body that changes one account. */
export const accountChangeSchema = z
  .strictObject({
    status: statusSchema.optional(),
    overdraftLimit: limitAmountSchema.optional(),
  })
  .refine(
    ({ status, overdraftLimit }) => status !== undefined || overdraftLimit !== undefined,
    'must have status or overdraftLimit',
  );

/** The body that sets many accounts' statuses. */
export const statusChangesSchema = z.strictObject({
  updates: z
    .array(z.strictObject({ id: rowIdSchema, status: statusSchema }))
    .max(UPDATES_MAX, `must have at most ${UPDATES_MAX} elements`),
});

/** What came of setting many accounts' statuses. */
export const statusChangesResultSchema = z.object({
  updated: z.int(),
  failed: z.array(z.object({ id: z.string(), code: z.string() })),
});

/** A page of accounts. */
export const accountListSchema = listSchema(accountViewSchema).extend({
  missingShards: z
    .array(z.string())
    .optional()
    .meta({ description: 'With partial=true: the shards that are away' }),
});
