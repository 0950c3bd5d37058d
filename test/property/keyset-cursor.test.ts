import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { ValidationError } from '../../src/common/gateway-error.js';
import {
  decodeCursor,
  encodeCursor,
  type CursorValue,
} from '../../src/sharding/scatter-gather/keyset-cursor.js';

const value: fc.Arbitrary<CursorValue> = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.double({ noDefaultInfinity: true, noNaN: true }).map((number) => number + 0),
  fc.boolean(),
  fc.constant(null),
);
const values = fc.array(value, { maxLength: 4 });
const shape = fc.string({ maxLength: 60 });
const printable = fc.integer({ min: 0x20, max: 0x7e }).map((code) => String.fromCharCode(code));

describe('a keyset cursor', () => {
  it('gives back the sort keys it was made of', () => {
    fc.assert(
      fc.property(shape, values, (list, keys) => {
        expect(decodeCursor(encodeCursor(list, keys), list)).toEqual(keys);
      }),
    );
  });

  it('is refused by every other list', () => {
    fc.assert(
      fc.property(shape, shape, values, (list, other, keys) => {
        fc.pre(list !== other);
        expect(() => decodeCursor(encodeCursor(list, keys), other)).toThrow(ValidationError);
      }),
    );
  });

  it('is refused when any one character is another', () => {
    fc.assert(
      fc.property(values, fc.nat(), printable, (keys, at, replacement) => {
        const cursor = encodeCursor('accounts', keys);
        const index = at % cursor.length;
        fc.pre(cursor[index] !== replacement);
        const mangled = cursor.slice(0, index) + replacement + cursor.slice(index + 1);
        expect(() => decodeCursor(mangled, 'accounts')).toThrow(ValidationError);
      }),
      { numRuns: 1_000 },
    );
  });

  it('is refused when it is no cursor at all, by the name of its field', () => {
    const made = (json: string): string => Buffer.from(json).toString('base64url');
    const wrong = ['', 'x', '%%%', made('{}'), made('[]'), made('[1,[2]]'), made('null'), 'A'.repeat(4_000)];
    for (const cursor of wrong) {
      expect(() => decodeCursor(cursor, 'accounts')).toThrow(
        expect.objectContaining({ errors: [expect.objectContaining({ path: 'cursor' })] }),
      );
    }
  });

  it('is not made when its keys would not fit into 2 KiB', () => {
    expect(encodeCursor('accounts', ['x'.repeat(1_400)]).length).toBeLessThanOrEqual(2_048);
    expect(() => encodeCursor('accounts', ['x'.repeat(1_600)])).toThrow(ValidationError);
  });
});
