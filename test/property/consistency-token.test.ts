import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { ValidationError } from '../../src/common/gateway-error.js';
import type { WrittenPosition } from '../../src/common/written-position.js';
import {
  decodeTokens,
  encodeToken,
  newWriterName,
} from '../../src/sharding/replication/consistency-token.js';
import { formatLsn, parseLsn } from '../../src/sharding/replication/lsn.js';

const lsn = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
// Names that differ from nobody's by a bit, and what could be taken for none.
const writer = fc.oneof(
  fc.constantFrom(undefined, 'AAAAAAAB', 'BAAAAAAA', '________'),
  fc.uint8Array({ minLength: 6, maxLength: 6 }).map(nameOf),
);
const position: fc.Arbitrary<WrittenPosition> = fc.record({
  shardId: fc.oneof(fc.constantFrom('s0', 's1', 's2'), fc.stringMatching(/^[a-z][a-z0-9_]{0,30}$/)),
  timeline: fc.oneof(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 0, max: 2 ** 32 - 1 })),
  lsn: fc.oneof(fc.constantFrom(7n, 8n), lsn),
  writer,
});
const positions = fc.array(position, { maxLength: 8 });
const printable = fc.integer({ min: 0x20, max: 0x7e }).map((code) => String.fromCharCode(code));

function nameOf(bytes: Uint8Array): string | undefined {
  return bytes.every((byte) => byte === 0) ? undefined : Buffer.from(bytes).toString('base64url');
}

const keyOf = ({ shardId, writer }: WrittenPosition): string => `${shardId} ${writer ?? 'nobody'}`;
const byKey = (a: WrittenPosition, b: WrittenPosition): number => (keyOf(a) < keyOf(b) ? -1 : 1);

/** The merge said in the plainest way: sort by timeline, then LSN, and let the last of each shard and writer stand. */
function farthest(list: readonly WrittenPosition[]): WrittenPosition[] {
  const sorted = [...list].sort((a, b) => a.timeline - b.timeline || (a.lsn < b.lsn ? -1 : 1));
  return [...new Map(sorted.map((entry) => [keyOf(entry), entry])).values()].sort(byKey);
}

describe('an LSN', () => {
  it('comes back from its text', () => {
    fc.assert(
      fc.property(lsn, (offset) => {
        expect(parseLsn(formatLsn(offset))).toBe(offset);
      }),
    );
  });

  it('is written and read as PostgreSQL does it', () => {
    expect(formatLsn(0x16_b374d848n)).toBe('16/B374D848');
    expect(formatLsn(0n)).toBe('0/0');
    expect(parseLsn('0/016b374d')).toBe(0x16b374dn);
    expect(parseLsn('FFFFFFFF/FFFFFFFF')).toBe(2n ** 64n - 1n);
  });

  it('is refused when it is not one', () => {
    for (const text of ['', '0', '/', '0/', '/0', '0/G', '0/123456789', '1/2/3', ' 0/0', '0x1/0', '-1/0']) {
      expect(() => parseLsn(text)).toThrow(ValidationError);
    }
  });
});

describe('a consistency token', () => {
  it('gives back the farthest position of each shard and writer', () => {
    fc.assert(
      fc.property(positions, (list) => {
        expect(decodeTokens(encodeToken(list)).sort(byKey)).toEqual(farthest(list));
      }),
    );
  });

  it('merges with others, joined by commas, to the farthest per shard and writer', () => {
    fc.assert(
      fc.property(
        fc.array(positions, { minLength: 1, maxLength: 4 }),
        fc.constantFrom(',', ', '),
        (lists, comma) => {
          const joined = lists.map(encodeToken).join(comma);
          expect(decodeTokens(joined).sort(byKey)).toEqual(farthest(lists.flat()));
        },
      ),
    );
  });

  it('takes a later timeline for later, whatever the LSN', () => {
    const before = { shardId: 's0', timeline: 1, lsn: 900n };
    const after = { shardId: 's0', timeline: 2, lsn: 100n };
    expect(decodeTokens(`${encodeToken([after])},${encodeToken([before])}`)).toEqual([after]);
  });

  it('keeps what two processes wrote up to one position apart, whichever way they are joined', () => {
    const [one, other] = [newWriterName(), newWriterName()];
    const at = { shardId: 's0', timeline: 1, lsn: 900n };
    const written = [one, other, undefined].map((writer) => ({ ...at, writer })).sort(byKey);
    for (const header of [encodeToken(written), written.map((each) => encodeToken([each])).join(', ')]) {
      expect(decodeTokens(header).sort(byKey)).toEqual(written);
    }
  });

  it('has one spelling', () => {
    fc.assert(
      fc.property(positions, (list) => {
        const token = encodeToken(list);
        expect(encodeToken(decodeTokens(token))).toBe(token);
      }),
    );
  });

  it('costs 8 characters more for the process that wrote, whose names differ', () => {
    const [name, ...others] = Array.from({ length: 100 }, () => newWriterName());
    expect(new Set([name, ...others]).size).toBe(100);
    expect(name).toMatch(/^[\w-]{8}$/);
    expect(encodeToken([{ shardId: 's0', timeline: 1, lsn: 1n, writer: name }])).toHaveLength(3 + 34);
  });

  it('is refused when any one character is another', () => {
    fc.assert(
      fc.property(positions, fc.nat(), printable, (list, at, replacement) => {
        const token = encodeToken(list);
        const index = at % token.length;
        fc.pre(token[index] !== replacement);
        const mangled = token.slice(0, index) + replacement + token.slice(index + 1);
        expect(() => decodeTokens(mangled)).toThrow(ValidationError);
      }),
      { numRuns: 2_000 },
    );
  });

  it('is refused when it is cut short, grown or made up', () => {
    const token = encodeToken([{ shardId: 's0', timeline: 1, lsn: 12_345n }]);
    const wrong = [
      '',
      ',',
      'v2.',
      'v2',
      'nonsense',
      `${token},`,
      `,${token}`,
      `${token}A`,
      `${token}=`,
      `v1${token.slice(2)}`,
      // Of the format before, as it was given out.
      'v1.AnMwAAAAAQAAAAAAADA5hy9qCg',
    ];
    for (let length = 1; length < token.length; length += 1) wrong.push(token.slice(0, length));
    for (const header of wrong) expect(() => decodeTokens(header)).toThrow(ValidationError);
  });

  it('is refused by the name of its header', () => {
    expect(() => decodeTokens('x')).toThrow(
      expect.objectContaining({ errors: [expect.objectContaining({ path: 'X-Consistency-Token' })] }),
    );
  });

  it('is refused beyond 8 KiB, and fits for hundreds of shards', () => {
    const token = encodeToken(
      Array.from({ length: 300 }, (_, index) => ({ shardId: `s${index}`, timeline: 1, lsn: 2n ** 60n })),
    );
    expect(decodeTokens(token)).toHaveLength(300);
    expect(() => decodeTokens(`${token},${token}`)).toThrow(/8192/);
  });
});
