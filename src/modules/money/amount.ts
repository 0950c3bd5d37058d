import { Decimal } from 'decimal.js';
import type { FieldFault } from '../../common/gateway-error.js';
import { MONEY_SCALE } from '../../persistence/money-column.js';
import { minorUnitsOf } from './currency.js';

/** Sums of amounts have more digits than the 20 to which decimal.js rounds by default. */
const Exact = Decimal.clone({ precision: 60 });

/** Every amount and every balance is nearer to zero than this: NUMERIC(20,4). */
const RANGE_END = new Exact('1e16');

/** 16 integer digits; more fraction digits than four only where they are zeros. */
const AMOUNT_PATTERN = /^\d{1,16}(\.\d{1,4}0{0,12})?$/;

/** What decides how fine an amount may be. */
export interface AmountRules {
  /** ISO 4217 code. */
  readonly currency: string;
  /** Whether the tenant may use four fraction digits whatever the currency has. */
  readonly subMinorUnits: boolean;
}

/**
 * Reads an amount that came from outside; it is not negative.
 *
 * @returns undefined when the text is not a decimal of at most 16 integer and 4 significant fraction digits
 */
export function parseAmount(text: string): Decimal | undefined {
  return AMOUNT_PATTERN.test(text) ? new Exact(text) : undefined;
}

/** What is wrong with the fraction digits of an amount of this currency, if anything. Zeros at the end do not count. */
export function finenessFault(
  amount: Decimal,
  { currency, subMinorUnits }: AmountRules,
  path: string,
): FieldFault | undefined {
  const digits = subMinorUnits ? MONEY_SCALE : minorUnitsOf(currency);
  if (amount.decimalPlaces() <= digits) return undefined;
  return { path, message: `must have at most ${digits} fraction digits in ${currency}` };
}

/** The exact sum of amounts. */
export function sumOf(...amounts: readonly Decimal[]): Decimal {
  return amounts.reduce((sum, amount) => sum.plus(amount), new Exact(0));
}

/** Whether a balance fits NUMERIC(20,4). */
export function isInRange(balance: Decimal): boolean {
  return balance.abs().lessThan(RANGE_END);
}

/** An amount as every output shows it: four fraction digits. */
export function formatAmount(amount: Decimal): string {
  return amount.toFixed(MONEY_SCALE);
}
