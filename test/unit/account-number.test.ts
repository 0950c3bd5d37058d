import { describe, expect, it } from '@jest/globals';
import { parseAccountNumber } from '../../src/modules/accounts/account-number.js';

describe('an account number', () => {
  it.each([
    ['ACC-1', 'ACC-1'],
    ['1', '1'],
    ['  acc 7/2.x_y ', 'acc 7/2.x_y'],
    ['A'.repeat(34), 'A'.repeat(34)],
    ['DE12', 'DE12'],
    ['AB12CDEF34567890123', 'AB12CDEF34567890123'],
    ['XX99123456789012345', 'XX99123456789012345'],
  ])('that is no IBAN is kept as it is: "%s"', (text, number) => {
    expect(parseAccountNumber(text)).toEqual({ number });
  });

  it.each([
    ['DE89370400440532013000', 'DE89370400440532013000'],
    ['de89 3704 0044 0532 0130 00', 'DE89370400440532013000'],
    ['NO9386011117947', 'NO9386011117947'],
    ['MT84 MALT 0110 0001 2345 MTLC AST0 01S', 'MT84MALT011000012345MTLCAST001S'],
  ])('that is an IBAN is kept in its electronic format: "%s"', (text, number) => {
    expect(parseAccountNumber(text)).toEqual({ number });
  });

  it.each(['DE00370400440532013000', 'DE8937040044053201300', 'de89 3704 0044 0532 0130 01'])(
    'that claims to be an IBAN and is none is refused: "%s"',
    (text) => {
      expect(parseAccountNumber(text)).toEqual({ fault: expect.stringContaining('IBAN') });
    },
  );

  it.each(['', ' ', '-1', 'a\tb', 'a\u0000', 'ä', 'a;b', 'A'.repeat(35), "a'b"])(
    'of another form is refused: "%s"',
    (text) => {
      expect(parseAccountNumber(text)).toEqual({ fault: expect.stringContaining('34') });
    },
  );
});
