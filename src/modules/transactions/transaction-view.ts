import { z } from 'zod';
import {
  TRANSACTION_STATUSES,
  TRANSACTION_TYPES,
  type LedgerTransaction,
} from '../accounts/ledger/ledger-transaction.js';
import { formatAmount } from '../money/amount.js';

/** A transaction as clients see it. */
export const transactionViewSchema = z.object({
  id: z.string().meta({ format: 'uuid' }),
  accountId: z.string().meta({ format: 'uuid' }),
  type: z.enum(TRANSACTION_TYPES),
  status: z.enum(TRANSACTION_STATUSES),
  amount: z.string().meta({ description: 'Positive in, negative out', example: '-12.5000' }),
  balanceAfter: z.string().nullable().meta({ description: 'Null while pending', example: '87.5000' }),
  transferId: z.string().nullable().meta({ format: 'uuid' }),
  reference: z.string().nullable(),
  actor: z.string(),
  executedAt: z.string().meta({ format: 'date-time' }),
});

/** A transaction as clients see it. */
export type TransactionView = z.infer<typeof transactionViewSchema>;

/** What clients see of an entry of the ledger. */
export function transactionViewOf(entry: LedgerTransaction): TransactionView {
  return {
    id: entry.id,
    accountId: entry.accountId,
    type: entry.type,
    status: entry.status,
    amount: formatAmount(entry.amount),
    balanceAfter: entry.balanceAfter === null ? null : formatAmount(entry.balanceAfter),
    transferId: entry.transferId,
    reference: entry.reference,
    actor: entry.actor,
    executedAt: entry.executedAt.toISOString(),
  };
}
