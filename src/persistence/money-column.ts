import { Decimal } from 'decimal.js';
import type { ColumnOptions } from 'typeorm';
import type { ColumnMetadata } from 'typeorm/metadata/ColumnMetadata.js';
import { ValidationError } from '../common/gateway-error.js';
import { decimalOf } from './decimal-text.js';

/** Integer and fraction digits that an amount can have in the database: NUMERIC(20,4). */
const MONEY_PRECISION = 20;
export const MONEY_SCALE = 4;

/** NUMERIC arrives as a string and leaves as one: no binary float touches an amount. */
const decimalTransformer = {
  from: (value: string | null): Decimal | null => (value === null ? null : decimalOf(value)),
  to: (value: unknown): unknown => {
    if (typeof value === 'number') {
      throw new ValidationError([
        { path: '', message: 'an amount is a Decimal or a decimal string, never a number' },
      ]);
    }
    return Decimal.isDecimal(value) ? value.toFixed() : value;
  },
};

/**
 * Column options of an exact amount: NUMERIC(20,4) in the database, `Decimal` in the entity.
 *
 * @example
 * ```ts
 * @Column(moneyColumn()) total!: Decimal;
 * ```
 */
export function moneyColumn(options: ColumnOptions = {}): ColumnOptions {
  return {
    type: 'numeric',
    precision: MONEY_PRECISION,
    scale: MONEY_SCALE,
    transformer: decimalTransformer,
    ...options,
  };
}

/** Whether a column was declared with {@link moneyColumn}, and reads its values so. */
export function isMoney({ transformer }: ColumnMetadata): boolean {
  return transformer === decimalTransformer;
}
