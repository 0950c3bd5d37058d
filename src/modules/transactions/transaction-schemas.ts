import { z } from 'zod';
import { TRANSACTION_STATUSES, TRANSACTION_TYPES } from '../accounts/ledger/ledger-transaction.js';
import {
  amountSchema,
  cursorSchema,
  instantSchema,
  limitSchema,
  listSchema,
  referenceSchema,
} from '../http/schemas.js';
import { transactionViewSchema } from './transaction-view.js';

/** Digits of a second that a JavaScript Date keeps, and with it the ledger. */
const MS_DIGITS = 3;

/**
 * A bound of a period in whole milliseconds. Entries have whole milliseconds, so a bound between two of them
 * is the later one.
 */
const boundSchema = instantSchema.transform((text) => {
  const finer = /\.(\d+)Z$/.exec(text)?.[1]?.slice(MS_DIGITS) ?? '';
  return new Date(Date.parse(text) + (/[1-9]/.test(finer) ? 1 : 0));
});

/** The body of a deposit or withdrawal. */
export const movementSchema = z.strictObject({
  amount: amountSchema,
  reference: referenceSchema.nullable().optional(),
});

/** The query of an account's list of transactions. */
export const transactionListQuerySchema = z.strictObject({
  from: boundSchema.optional().meta({ format: 'date-time', description: 'Inclusive' }),
  to: boundSchema.optional().meta({ format: 'date-time', description: 'Exclusive' }),
  type: z.enum(TRANSACTION_TYPES, { error: `must be one of ${TRANSACTION_TYPES.join(', ')}` }).optional(),
  status: z
    .enum(TRANSACTION_STATUSES, { error: `must be one of ${TRANSACTION_STATUSES.join(', ')}` })
    .optional(),
  cursor: cursorSchema.optional(),
  limit: limitSchema,
});

/** A page of transactions. */
export const transactionListSchema = listSchema(transactionViewSchema);
