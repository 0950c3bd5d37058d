import { describe, expect, it } from '@jest/globals';
import { Decimal } from 'decimal.js';
import fc from 'fast-check';
import { copyOfDecimal, decimalOf } from '../../src/persistence/decimal-text.js';

/** As PostgreSQL writes a NUMERIC, and as others might. */
const numbers = fc
  .tuple(
    fc.constantFrom('', '-'),
    fc.oneof(fc.stringMatching(/^\d{1,40}$/), fc.stringMatching(/^0{1,9}$/), fc.constant('')),
    fc.oneof(fc.constant(''), fc.stringMatching(/^\.\d{1,40}$/), fc.stringMatching(/^\.0{1,20}\d?$/)),
  )
  .map((parts) => parts.join(''))
  .filter((text) => /\d/.test(text));

const others = fc.constantFrom('NaN', 'Infinity', '-Infinity', '1e5', '-1.5E-9', '0x1f', '+7', '5.', '1_0');

/** All that a Decimal is, its own properties in their order. */
function partsOf(decimal: Decimal): unknown {
  return Object.entries(decimal);
}

describe('decimalOf', () => {
  it('gives what the library gives for the same text', () => {
    fc.assert(
      fc.property(fc.oneof({ arbitrary: numbers, weight: 9 }, others), (text) => {
        expect(partsOf(decimalOf(text))).toEqual(partsOf(new Decimal(text)));
        expect(decimalOf(text)).toBeInstanceOf(Decimal);
      }),
      { numRuns: 5_000 },
    );
  });

  it.each(['', '-', '.', 'x', '1.2.3', '1 000', '12a', '--1'])('refuses %p as the library does', (text) => {
    expect(() => decimalOf(text)).toThrow('[DecimalError] Invalid argument');
  });
});

describe('a copy of a Decimal', () => {
  it('is equal, and shares nothing that can be changed', () => {
    fc.assert(
      fc.property(numbers, (text) => {
        const decimal = decimalOf(text);
        const copy = copyOfDecimal(decimal);
        expect(partsOf(copy)).toEqual(partsOf(decimal));
        expect(copy).toBeInstanceOf(Decimal);
        copy.d[0] = -1;
        copy.d.push(7);
        expect(partsOf(decimal)).toEqual(partsOf(new Decimal(text)));
      }),
      { numRuns: 2_000 },
    );
  });
});
