import { Decimal } from 'decimal.js';

/** Decimal digits in one word of a Decimal's coefficient. */
const WORD_DIGITS = 7;

const ZERO = '0'.charCodeAt(0);

/** What a Decimal is made of: https://mikemcl.github.io/decimal.js/#instance-properties. */
type Parts = { -readonly [Part in 's' | 'e' | 'd']: Decimal[Part] };

/**
 * Makes a Decimal of its parts, which is much less work than the library's constructor has: that one finds out
 * first what it was given. The properties are the same, in the same order.
 */
function decimalOfParts(this: Parts, sign: number, exponent: number, words: number[]): void {
  this.constructor = Decimal;
  this.s = sign;
  this.e = exponent;
  this.d = words;
}
decimalOfParts.prototype = Decimal.prototype;
const KnownDecimal = decimalOfParts as unknown as new (
  sign: number,
  exponent: number,
  words: number[],
) => Decimal;

/**
 * The Decimal of a number as PostgreSQL writes it: `-1234.5000`. Equal to `new Decimal(text)`, several times
 * as fast, because it looks for this one notation; any other text, such as `NaN`, is the library's to read.
 *
 * A Decimal is a sign, the exponent of its first digit, and its digits in words of seven to each side of the
 * point. The words are read off the text, so no amount ever is a binary number.
 */
export function decimalOf(text: string): Decimal {
  const isNegative = text.startsWith('-');
  const first = isNegative ? 1 : 0;
  const point = text.indexOf('.');
  const wholeEnd = point === -1 ? text.length : point;
  if (wholeEnd === first) return new Decimal(text);
  const sign = isNegative ? -1 : 1;
  const isShort = wholeEnd - first <= WORD_DIGITS && text.length - wholeEnd <= WORD_DIGITS + 1;
  if (isShort) return shortDecimal(text, sign, first, wholeEnd);

  const words: number[] = [];
  let exponent = 0;
  let place = Math.ceil((wholeEnd - first) / WORD_DIGITS) - 1;
  let start = first;
  let end = wholeEnd - place * WORD_DIGITS;
  for (; start < text.length; place -= 1) {
    const word = wordAt(text, start, end);
    if (word === undefined) return new Decimal(text);
    if (words.length === 0 && word > 0) exponent = place * WORD_DIGITS + digitsOf(word) - 1;
    if (words.length > 0 || word > 0) words.push(word);
    start = end === wholeEnd ? wholeEnd + 1 : end;
    end = start + WORD_DIGITS;
  }
  while (words.at(-1) === 0) words.pop();

  return decimalFrom(sign, exponent, words);
}

/** Another Decimal of the same value, which shares nothing with it. */
export function copyOfDecimal({ s, e, d }: Decimal): Decimal {
  return new KnownDecimal(s, e, d.length === 1 ? [d[0] ?? 0] : d.slice());
}

/** One word at most on each side of the point, as nearly all amounts are: no list grows for them. */
function shortDecimal(text: string, sign: number, first: number, wholeEnd: number): Decimal {
  const whole = wordAt(text, first, wholeEnd);
  const fraction = text.length > wholeEnd ? wordAt(text, wholeEnd + 1, wholeEnd + 1 + WORD_DIGITS) : 0;
  if (whole === undefined || fraction === undefined) return new Decimal(text);
  if (whole === 0)
    return decimalFrom(sign, digitsOf(fraction) - 1 - WORD_DIGITS, fraction === 0 ? [] : [fraction]);
  return decimalFrom(sign, digitsOf(whole) - 1, fraction === 0 ? [whole] : [whole, fraction]);
}

/** @param words without zeros at either end; none for zero */
function decimalFrom(sign: number, exponent: number, words: number[]): Decimal {
  return words.length === 0 ? new KnownDecimal(sign, 0, [0]) : new KnownDecimal(sign, exponent, words);
}

/** The word that these digits make, filled up with zeros behind the end; undefined where they are no digits. */
function wordAt(text: string, start: number, end: number): number | undefined {
  let word = 0;
  for (let index = start; index < end; index += 1) {
    const digit = index < text.length ? text.charCodeAt(index) - ZERO : 0;
    if (digit < 0 || digit > 9) return undefined;
    word = word * 10 + digit;
  }
  return word;
}

function digitsOf(word: number): number {
  let digits = 1;
  for (let rest = word; rest >= 10; rest /= 10) digits += 1;
  return digits;
}
