import { z } from 'zod';
import { formatAmount, sumOf } from '../money/amount.js';
import { ACCOUNT_STATUSES } from './account-status.js';
import type { Account } from './account.js';

const amount = z
  .string()
  .meta({ description: 'A decimal string with four fraction digits', example: '12.5000' });

/** An account as clients see it. */
export const accountViewSchema = z.object({
  id: z.string().meta({ format: 'uuid' }),
  userId: z.string(),
  accountNumber: z.string(),
  currency: z.string().meta({ example: 'EUR' }),
  balance: amount,
  available: amount.meta({ description: 'The balance less what is held; the overdraft is not in it' }),
  overdraftLimit: amount,
  status: z.enum(ACCOUNT_STATUSES),
  version: z.int().meta({ description: 'Goes up with every change; the ETag' }),
  createdAt: z.string().meta({ format: 'date-time' }),
  updatedAt: z.string().meta({ format: 'date-time' }),
});

/** An account as clients see it. */
export type AccountView = z.infer<typeof accountViewSchema>;

/** What clients see of a user's account. */
export function accountViewOf(account: Account): AccountView {
  return {
    id: account.id,
    userId: account.userId,
    accountNumber: account.accountNumber ?? '',
    currency: account.currency,
    balance: formatAmount(account.balance),
    available: formatAmount(sumOf(account.balance, account.held.negated())),
    overdraftLimit: formatAmount(account.overdraftLimit),
    status: account.status,
    version: Number(account.version),
    createdAt: account.createdAt.toISOString(),
    updatedAt: account.updatedAt.toISOString(),
  };
}
