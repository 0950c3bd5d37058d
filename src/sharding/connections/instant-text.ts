import pg from 'pg';

/** What the driver makes of a `timestamptz`, for every spelling that the server has. */
const driversParser = pg.types.getTypeParser(pg.types.builtins.TIMESTAMPTZ, 'text') as (
  text: string,
) => unknown;

/** As servers in UTC write instants of our era: `2026-11-22 21:04:05.123+00`; fractions may be missing. */
const UTC_TEXT = { lengthMin: 22, lengthMax: 29, date: 10, time: 19 };

const ZERO = '0'.charCodeAt(0);
const DASH = '-'.charCodeAt(0);
const SPACE = ' '.charCodeAt(0);
const COLON = ':'.charCodeAt(0);

/** `Date.UTC` takes lower years for years of the twentieth century. */
const FIRST_PLAIN_YEAR = 100;

/**
 * The instant of a `timestamptz` in text. Equal to the driver's own parser, but many times as fast where the
 * server is in UTC: the digits are read where they stand.
 */
export function parseInstant(text: string): unknown {
  if (!isUtcText(text)) return driversParser(text);
  const year = digitsAt(text, 0) * 100 + digitsAt(text, 2);
  if (year < FIRST_PLAIN_YEAR) return driversParser(text);
  const [month, day] = [digitsAt(text, 5) - 1, digitsAt(text, 8)];
  const [hour, minute, second] = [digitsAt(text, 11), digitsAt(text, 14), digitsAt(text, 17)];
  return new Date(Date.UTC(year, month, day, hour, minute, second, millisecondsOf(text)));
}

/** It is a server's text: where the separators stand right, digits are between them. */
function isUtcText(text: string): boolean {
  const { length } = text;
  return (
    length >= UTC_TEXT.lengthMin &&
    length <= UTC_TEXT.lengthMax &&
    text.charCodeAt(4) === DASH &&
    text.charCodeAt(UTC_TEXT.date) === SPACE &&
    text.charCodeAt(13) === COLON &&
    text.endsWith('+00')
  );
}

/** The number that two digits make. */
function digitsAt(text: string, index: number): number {
  return (text.charCodeAt(index) - ZERO) * 10 + text.charCodeAt(index + 1) - ZERO;
}

/** Whole milliseconds of the fraction, which has up to six digits; the rest is cut off, as the driver does. */
function millisecondsOf(text: string): number {
  let milliseconds = 0;
  let unit = 100;
  for (let index = UTC_TEXT.time + 1; index < text.length - 3 && unit >= 1; index += 1) {
    milliseconds += (text.charCodeAt(index) - ZERO) * unit;
    unit /= 10;
  }
  return milliseconds;
}
