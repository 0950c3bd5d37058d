import { describe, expect, it } from '@jest/globals';
import { isSameHash, mintApiKey, parseApiKey } from '../../src/modules/tenants/api-key.js';

describe('An API key', () => {
  it('carries its id and 256 random bits, and is taken apart again', () => {
    const sizes: number[] = [];
    const minted = mintApiKey((size) => {
      sizes.push(size);
      return Buffer.alloc(size, 255);
    });
    expect(sizes).toEqual([12, 32]);
    expect(minted.key).toBe(`sg_777777777777_${'_'.repeat(42)}8`);
    expect(parseApiKey(minted.key)).toEqual({ keyId: '777777777777', secretHash: minted.secretHash });
  });

  it('is another one each time', () => {
    const keys = Array.from({ length: 100 }, () => mintApiKey());
    expect(new Set(keys.map(({ key }) => key)).size).toBe(100);
    expect(new Set(keys.map(({ keyId }) => keyId)).size).toBe(100);
    for (const { key, keyId, secretHash } of keys) expect(parseApiKey(key)).toEqual({ keyId, secretHash });
  });

  it('may be given an id', () => {
    expect(mintApiKey(undefined, 'operator0001').key).toMatch(/^sg_operator0001_[\w-]{43}$/);
  });

  it('keeps the secret out of its hash', () => {
    const { key, secretHash } = mintApiKey();
    const secret = key.slice(16);
    expect(secretHash.toString('base64url')).not.toBe(secret);
    expect(secretHash).toHaveLength(32);
  });

  const { key } = mintApiKey();
  it.each([
    ['', 'nothing'],
    ['secret', 'a word'],
    [key.slice(0, -1), 'a key that is cut'],
    [`${key}A`, 'a key that goes on'],
    [` ${key}`, 'a key after a space'],
    [`${key}\n`, 'a key before a line break'],
    [key.toUpperCase(), 'a key in capitals'],
    [key.replace('sg_', 'sk_'), 'a key of somebody else'],
    [key.replace(/.$/, 'é'), 'a key with a foreign letter'],
  ])('is not %j: %s', (text) => {
    expect(parseApiKey(text)).toBeUndefined();
  });

  it('has a hash that equals itself alone', () => {
    const [a, b] = [mintApiKey().secretHash, mintApiKey().secretHash];
    expect(isSameHash(a, Buffer.from(a))).toBe(true);
    expect(isSameHash(a, b)).toBe(false);
    expect(isSameHash(a, a.subarray(1))).toBe(false);
  });
});
