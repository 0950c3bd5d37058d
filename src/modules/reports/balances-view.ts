import { z } from 'zod';
import { formatAmount } from '../money/amount.js';
import type { CurrencyBalances } from './balance-sums.js';

const amount = (description: string, example: string) => z.string().meta({ description, example });

/** The tenant's money as clients see it. */
export const balancesViewSchema = z.object({
  asOf: z.string().meta({
    format: 'date-time',
    description: 'When the cut was made, by the clock of the first shard',
  }),
  rows: z.array(
    z.object({
      currency: z.string().meta({ example: 'EUR' }),
      accounts: z.int().meta({ description: "Users' accounts, those that are closed included" }),
      balance: amount("The sum of users' accounts", '1500.0000'),
      held: amount('The part of it that pending transfers hold', '20.0000'),
      settlement: amount('The sum of the settlement accounts; with balance it is zero', '-1500.0000'),
    }),
  ),
});

/** The tenant's money as clients see it. */
export type BalancesView = z.infer<typeof balancesViewSchema>;

/** What clients see of the sums of one cut. */
export function balancesViewOf(asOf: Date, sums: readonly CurrencyBalances[]): BalancesView {
  return {
    asOf: asOf.toISOString(),
    rows: sums.map(({ currency, accounts, balance, held, settlement }) => ({
      currency,
      accounts,
      balance: formatAmount(balance),
      held: formatAmount(held),
      settlement: formatAmount(settlement),
    })),
  };
}
