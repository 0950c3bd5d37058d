import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { ValidationError } from '../../src/common/gateway-error.js';
import { BUCKET_COUNT } from '../../src/sharding/topology/bucket.js';
import { bucketOfId, isGatewayId, mintId, parseId } from '../../src/sharding/topology/gateway-id.js';
import { IdMint } from '../../src/sharding/topology/id-mint.js';

/** RFC 9562: version 8 in the high half of octet 6, variant 10 in the high bits of octet 8. */
const RFC_9562_VERSION_8 = /^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

const bucket = fc.integer({ min: 0, max: BUCKET_COUNT - 1 });
const timeMs = fc.integer({ min: 0, max: 2 ** 48 - 1 });
const random = fc.uint8Array({ minLength: 8, maxLength: 8 });
const id = fc.tuple(bucket, timeMs, random).map((parts) => mintId(...parts));

describe('an id that carries its bucket', () => {
  it('gives back every one of the buckets', () => {
    const mint = new IdMint();
    const buckets = Array.from({ length: BUCKET_COUNT }, (_, index) => index);
    expect(buckets.map((index) => bucketOfId(mint.mint(index)))).toEqual(buckets);
  });

  it('is a UUID of version 8, whatever the time and the random bytes', () => {
    fc.assert(
      fc.property(id, (minted) => {
        expect(minted).toMatch(RFC_9562_VERSION_8);
        expect(isGatewayId(minted)).toBe(true);
      }),
    );
  });

  it('holds the time and 62 of the random bits', () => {
    const ones = new Uint8Array(8).fill(0xff);
    expect(mintId(0xabc, 0x0123456789ab, ones)).toBe('01234567-89ab-8abc-bfff-ffffffffffff');
    expect(mintId(0, 0, new Uint8Array(8))).toBe('00000000-0000-8000-8000-000000000000');
  });

  it('sorts after every id of an earlier millisecond', () => {
    fc.assert(
      fc.property(bucket, bucket, random, random, timeMs, timeMs, (b1, b2, r1, r2, t1, t2) => {
        fc.pre(t1 < t2);
        expect(mintId(b1, t1, r1) < mintId(b2, t2, r2)).toBe(true);
      }),
    );
  });

  it('is taken in upper case and becomes the same id', () => {
    fc.assert(
      fc.property(id, (minted) => {
        expect(parseId(minted.toUpperCase())).toEqual({ id: minted, bucket: bucketOfId(minted) });
      }),
    );
  });

  it('is told apart from other UUIDs and from other spellings', () => {
    const minted = new IdMint().mint(7);
    const others = [
      '',
      '018f4e9a-7c1b-7abc-9def-0123456789ab',
      '018f4e9a-7c1b-8abc-cdef-0123456789ab',
      `{${minted}}`,
      ` ${minted}`,
      `${minted}\n`,
      minted.replaceAll('-', ''),
      minted.slice(1),
      `${minted}0`,
    ];
    for (const other of others) {
      expect(isGatewayId(other)).toBe(false);
      expect(() => bucketOfId(other)).toThrow(ValidationError);
    }
  });

  it('is never minted for a bucket or a time that does not exist', () => {
    for (const wrong of [-1, BUCKET_COUNT, 1.5, Number.NaN]) {
      expect(() => mintId(wrong, 0, new Uint8Array(8))).toThrow(ValidationError);
    }
    for (const wrong of [-1, 2 ** 48, 0.5]) {
      expect(() => mintId(0, wrong, new Uint8Array(8))).toThrow(ValidationError);
    }
  });
});

describe('the mint', () => {
  it('gives each id its own random bytes, across refills of its pool', () => {
    const mint = new IdMint({ now: () => 1_700_000_000_000 });
    const ids = Array.from({ length: 5_000 }, () => mint.mint(1));
    expect(new Set(ids).size).toBe(ids.length);
  });

  it('uses every random byte once and in order', () => {
    let next = 0;
    const fillRandom = (buffer: Uint8Array): void => {
      for (let index = 0; index < buffer.length; index += 1) buffer[index] = next++ & 0xff;
    };
    const mint = new IdMint({ now: () => 0, fillRandom });
    const tails = Array.from({ length: 3 }, () => mint.mint(0).slice(24));
    expect(tails).toEqual(['020304050607', '0a0b0c0d0e0f', '121314151617']);
  });
});
