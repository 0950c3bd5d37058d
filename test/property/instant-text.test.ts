import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import pg from 'pg';
import { parseInstant } from '../../src/sharding/connections/instant-text.js';

const driversParser = pg.types.getTypeParser(pg.types.builtins.TIMESTAMPTZ, 'text') as (
  text: string,
) => unknown;

const two = (max: number) => fc.integer({ min: 0, max }).map((part) => String(part).padStart(2, '0'));
const years = fc.oneof(
  fc.integer({ min: 1, max: 9_999 }).map((year) => String(year).padStart(4, '0')),
  fc.constantFrom('1969', '1970', '0001', '10000', '294276'),
);
const fractions = fc.oneof(fc.constant(''), fc.stringMatching(/^\.\d{1,6}$/));
const zones = fc.constantFrom('+00', '+01', '-03:30', '+05:53:28', '+00 BC');

/** As a server writes instants, in its own time zone. */
const texts = fc
  .tuple(
    years,
    fc.integer({ min: 1, max: 12 }),
    fc.integer({ min: 1, max: 28 }),
    two(23),
    two(59),
    two(59),
    fractions,
    zones,
  )
  .map(([year, month, day, hour, minute, second, fraction, zone]) => {
    const date = [year, String(month).padStart(2, '0'), String(day).padStart(2, '0')].join('-');
    return `${date} ${hour}:${minute}:${second}${fraction}${zone}`;
  });

/** Instants beyond JavaScript's range are dates without a time, which equal nothing. */
function comparable(value: unknown): unknown {
  return value instanceof Date ? { instantMs: value.getTime() } : value;
}

describe('parseInstant', () => {
  it('knows every day of the calendar, the 29th of Februaries among them', () => {
    const wrong: string[] = [];
    for (let day = Date.UTC(100, 0, 1); day < Date.UTC(2500, 0, 1); day += 86_400_000) {
      const text = `${new Date(day).toISOString().slice(0, 10)} 00:00:00+00`;
      const parsed = parseInstant(text);
      if (!(parsed instanceof Date) || parsed.getTime() !== day) wrong.push(text);
    }
    expect(wrong).toEqual([]);
  });

  it('gives what the driver’s own parser gives', () => {
    fc.assert(
      fc.property(fc.oneof(texts, fc.constantFrom('infinity', '-infinity')), (text) => {
        expect(comparable(parseInstant(text))).toEqual(comparable(driversParser(text)));
      }),
      { numRuns: 2_000 },
    );
  });
});
