import { Decimal } from 'decimal.js';

/** The sum of decimal texts, as the ledger writes it; null counts as nothing. */
export function sumOf(amounts: Iterable<string | null>): string {
  let sum = new Decimal(0);
  for (const amount of amounts) sum = sum.plus(amount ?? 0);
  return sum.toFixed(4);
}
