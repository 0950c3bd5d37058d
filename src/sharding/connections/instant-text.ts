import pg from 'pg';

/** What the driver makes of a `timestamptz`, for every spelling that the server has. */
const driversParser = pg.types.getTypeParser(pg.types.builtins.TIMESTAMPTZ, 'text') as (
  text: string,
) => unknown;

/** As servers in UTC write instants of our era: `2026-11-22 21:04:05.123+00`; fractions may be missing. */
const UTC_LENGTH_MIN = 22;
const UTC_LENGTH_MAX = 29;
const DATE_LENGTH = 10;

/**
 * The instant of a `timestamptz` in text. Equal to the driver's own parser, but ten times as fast where the
 * server is in UTC: JavaScript's own format then differs by two letters.
 */
export function parseInstant(text: string): unknown {
  const { length } = text;
  const isUtc =
    length >= UTC_LENGTH_MIN && length <= UTC_LENGTH_MAX && text[DATE_LENGTH] === ' ' && text.endsWith('+00');
  if (!isUtc) return driversParser(text);
  const instant = new Date(`${text.slice(0, DATE_LENGTH)}T${text.slice(DATE_LENGTH + 1, -3)}Z`);
  return Number.isNaN(instant.getTime()) ? driversParser(text) : instant;
}
