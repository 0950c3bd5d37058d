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

/** Years are plain from here on: before, the driver has rules of its own. */
const FIRST_PLAIN_YEAR = 100;

/** Days from 1 March of the year 0 to 1 January 1970. */
const DAYS_TO_1970 = 719_468;

/**
 * The instant of a `timestamptz` in text. Equal to the driver's own parser, but many times as fast where the
 * server is in UTC: the digits are read where they stand.
 */
export function parseInstant(text: string): unknown {
  if (!isUtcText(text)) return driversParser(text);
  const year = digitsAt(text, 0) * 100 + digitsAt(text, 2);
  if (year < FIRST_PLAIN_YEAR) return driversParser(text);
  const days = daysSince1970(year, digitsAt(text, 5), digitsAt(text, 8));
  const minutes = (days * 24 + digitsAt(text, 11)) * 60 + digitsAt(text, 14);
  return new Date((minutes * 60 + digitsAt(text, 17)) * 1_000 + millisecondsOf(text));
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

/**
 * Days from 1 January 1970 to a day of the Gregorian calendar, of a year from 1 on. Years begin in March here, so
 * that a leap day is their last one.
 */
function daysSince1970(year: number, month: number, day: number): number {
  const marchYear = month > 2 ? year : year - 1;
  const marchMonth = month > 2 ? month - 3 : month + 9;
  const leapDays = ((marchYear / 4) | 0) - ((marchYear / 100) | 0) + ((marchYear / 400) | 0);
  // Months from March on have 31, 30, 31, 30, 31 days, and again.
  const daysBefore = ((153 * marchMonth + 2) / 5) | 0;
  return marchYear * 365 + leapDays + daysBefore + day - 1 - DAYS_TO_1970;
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
