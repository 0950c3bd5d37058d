import { z } from 'zod';
import { formatAmount } from '../money/amount.js';
import { TRANSFER_STATUSES, type Transfer } from './transfer.js';

const id = z.string().meta({ format: 'uuid' });
const instant = z.string().meta({ format: 'date-time' });

/** A transfer as clients see it. */
export const transferViewSchema = z.object({
  id,
  fromAccountId: id,
  toAccountId: id,
  amount: z
    .string()
    .meta({ description: 'What was asked for, and is held while pending', example: '12.5000' }),
  postedAmount: z.string().nullable().meta({ description: 'What was moved; null unless COMPLETED' }),
  currency: z.string().meta({ example: 'EUR' }),
  status: z.enum(TRANSFER_STATUSES),
  reference: z.string().nullable(),
  actor: z.string(),
  createdAt: instant,
  expiresAt: instant.nullable().meta({ description: 'Of a transfer that is or was pending' }),
  completedAt: instant.nullable(),
});

/** A transfer as clients see it. */
export type TransferView = z.infer<typeof transferViewSchema>;

/** The names of its fields, in the order in which they are sent. */
export const TRANSFER_SHAPE = transferViewSchema.keyof().options;

/** What clients see of a transfer. */
export function transferViewOf(transfer: Omit<Transfer, 'tenantId'>): TransferView {
  return {
    id: transfer.id,
    fromAccountId: transfer.fromAccountId,
    toAccountId: transfer.toAccountId,
    amount: formatAmount(transfer.amount),
    postedAmount: transfer.postedAmount === null ? null : formatAmount(transfer.postedAmount),
    currency: transfer.currency,
    status: transfer.status,
    reference: transfer.reference,
    actor: transfer.actor,
    createdAt: transfer.createdAt.toISOString(),
    expiresAt: transfer.expiresAt?.toISOString() ?? null,
    completedAt: transfer.completedAt?.toISOString() ?? null,
  };
}
