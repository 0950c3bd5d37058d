import { describe, expect, it } from '@jest/globals';
import { Decimal } from 'decimal.js';
import {
  finenessFault,
  formatAmount,
  isInRange,
  parseAmount,
  sumOf,
} from '../../src/modules/money/amount.js';

describe('an amount from outside', () => {
  it.each(['0', '12', '12.5', '12.5000', '0.0001', '9999999999999999.9999', '1.50000000', '007'])(
    'is read when it is %s',
    (text) => {
      expect(parseAmount(text)?.toFixed()).toBe(new Decimal(text).toFixed());
    },
  );

  it.each([
    '',
    ' 1',
    '-1',
    '+1',
    '1e3',
    '.5',
    '5.',
    '1,5',
    'NaN',
    'Infinity',
    '0x1',
    '1.00001',
    '12345678901234567',
    '١',
  ])('is refused when it is "%s"', (text) => {
    expect(parseAmount(text)).toBeUndefined();
  });

  it.each([
    ['EUR', '1.25', undefined],
    ['EUR', '1.2500', undefined],
    ['EUR', '1.255', 'must have at most 2 fraction digits in EUR'],
    ['JPY', '1', undefined],
    ['JPY', '1.5', 'must have at most 0 fraction digits in JPY'],
    ['KWD', '1.255', undefined],
    ['KWD', '1.2555', 'must have at most 3 fraction digits in KWD'],
    ['IQD', '1.255', undefined],
    ['CLF', '1.2555', undefined],
  ])('in %s, %s is as fine as the currency allows or named as finer', (currency, text, message) => {
    const fault = finenessFault(new Decimal(text), { currency, subMinorUnits: false }, 'amount');
    expect(fault).toEqual(message === undefined ? undefined : { path: 'amount', message });
  });

  it('may have four fraction digits in every currency of a tenant with sub-minor units', () => {
    const rules = { currency: 'JPY', subMinorUnits: true };
    expect(finenessFault(new Decimal('1.2345'), rules, 'amount')).toBeUndefined();
  });
});

describe('arithmetic', () => {
  it('keeps every digit of sums that are longer than a column', () => {
    const largest = new Decimal('9999999999999999.9999');
    expect(sumOf(largest, largest, new Decimal('0.0001')).toFixed()).toBe('19999999999999999.9999');
  });

  it.each([
    ['9999999999999999.9999', true],
    ['-9999999999999999.9999', true],
    ['10000000000000000', false],
    ['-10000000000000000', false],
  ])('knows whether %s fits the column', (text, fits) => {
    expect(isInRange(new Decimal(text))).toBe(fits);
  });

  it.each([
    ['1500', '1500.0000'],
    ['-0.5', '-0.5000'],
    ['0', '0.0000'],
    ['9999999999999999.9999', '9999999999999999.9999'],
  ])('shows %s as %s', (text, shown) => {
    expect(formatAmount(new Decimal(text))).toBe(shown);
  });
});
