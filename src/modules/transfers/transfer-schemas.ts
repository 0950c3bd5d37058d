import { z } from 'zod';
import { rowIdSchema } from '../accounts/account-schemas.js';
import { problemSchema } from '../http/problem.js';
import { amountSchema, referenceSchema } from '../http/schemas.js';
import { HOLD_SECONDS_DEFAULT, HOLD_SECONDS_MAX } from './hold-seconds.js';
import { transferViewSchema } from './transfer-view.js';

const TRANSFERS_MAX = 1_000;
const KEY_MAX = 255;

const transferFields = z.strictObject({
  fromAccountId: rowIdSchema,
  toAccountId: rowIdSchema,
  amount: amountSchema,
  reference: referenceSchema.nullable().optional(),
  pending: z.boolean({ error: 'must be true or false' }).optional().meta({
    description: 'Whether the amount is only held, to be posted or voided later',
  }),
  timeoutSeconds: z
    .int('must be a whole number of seconds')
    .min(1, 'must be at least 1')
    .max(HOLD_SECONDS_MAX, `must be at most ${HOLD_SECONDS_MAX}`)
    .optional()
    .meta({
      description: `After how many seconds a pending transfer expires; ${HOLD_SECONDS_DEFAULT} by default`,
    }),
});

const holdsIfTimed = ({ pending, timeoutSeconds }: z.output<typeof transferFields>): boolean =>
  timeoutSeconds === undefined || pending === true;
const HOLDS_IF_TIMED = { path: ['timeoutSeconds'], error: 'is for pending transfers only' };

/** The body that moves or holds an amount. */
export const newTransferSchema = transferFields.refine(holdsIfTimed, HOLDS_IF_TIMED);

/** The body of many transfers, each by itself. */
export const transferBatchSchema = z.strictObject({
  transfers: z
    .array(
      transferFields
        .extend({
          idempotencyKey: z
            .string()
            .regex(/^[\x20-\x7e]+$/, 'must be printable ASCII characters')
            .max(KEY_MAX, `must have at most ${KEY_MAX} characters`)
            .optional()
            .meta({ description: 'As the header Idempotency-Key of a single transfer' }),
        })
        .refine(holdsIfTimed, HOLDS_IF_TIMED),
    )
    .max(TRANSFERS_MAX, `must have at most ${TRANSFERS_MAX} elements`),
});

/** The body that posts a pending transfer. */
export const postTransferSchema = z
  .strictObject({
    amount: amountSchema.optional().meta({
      description: 'At most what is held, and all of it by default; the rest is released',
      example: '12.50',
    }),
  })
  .optional()
  .transform((body) => body ?? {});

/** The body that voids a pending transfer: empty. */
export const voidTransferSchema = z.strictObject({}).optional();

/** What came of many transfers, in their order. */
export const transferBatchResultSchema = z.object({
  results: z.array(
    z.object({
      status: z.int().meta({ description: 'The status that the transfer by itself would have had' }),
      transfer: transferViewSchema.optional(),
      problem: problemSchema.optional(),
    }),
  ),
});
