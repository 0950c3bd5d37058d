/** ISO text as PostgreSQL and JavaScript write it: day, time, fraction, offset from UTC. */
const ISO_TEXT = /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d:\d\d)(?:\.(\d+))?)?(Z|[+-]\d\d(?::\d\d)?)?$/;

/** Digits of a second that JavaScript's Date keeps. */
const DATE_FRACTION_DIGITS = 3;

/** An instant finer than a Date can hold it. */
interface Instant {
  /** Milliseconds since 1970, rounded down; infinite for PostgreSQL's infinities. */
  readonly ms: number;
  /** Fraction digits below the millisecond, without trailing zeros: they compare as text. */
  readonly rest: string;
}

/**
 * Orders instants ascending, each a Date, ISO text of the years 0000 to 9999 (`T` or a blank between day and
 * time) or an infinity as PostgreSQL or its driver writes it. Text is compared to its last digit; without an
 * offset it counts as UTC.
 *
 * @throws TypeError when one is none of these
 */
export function compareInstants(a: unknown, b: unknown): number {
  const left = instantOf(a);
  const right = instantOf(b);
  if (left.ms !== right.ms) return left.ms < right.ms ? -1 : 1;
  if (left.rest === right.rest) return 0;
  return left.rest < right.rest ? -1 : 1;
}

function instantOf(value: unknown): Instant {
  const instant = typeof value === 'string' ? instantOfText(value) : { ms: Number(value), rest: '' };
  if (Number.isNaN(instant.ms)) throw new TypeError('A sort key of type date must be a Date or ISO text.');
  return instant;
}

function instantOfText(text: string): Instant {
  if (text === 'infinity') return { ms: Infinity, rest: '' };
  if (text === '-infinity') return { ms: -Infinity, rest: '' };
  const [, day, time = '00:00:00', fraction = '', offset = 'Z'] = ISO_TEXT.exec(text) ?? [];
  const millis = fraction.slice(0, DATE_FRACTION_DIGITS).padEnd(DATE_FRACTION_DIGITS, '0');
  // Only in this exact form does Date.parse not fall back to local time or to two-digit years.
  const fullOffset = offset.length === 3 ? `${offset}:00` : offset;
  return {
    ms: day === undefined ? Number.NaN : Date.parse(`${day}T${time}.${millis}${fullOffset}`),
    rest: fraction.slice(DATE_FRACTION_DIGITS).replace(/0+$/, ''),
  };
}
