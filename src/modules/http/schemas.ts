import { z } from 'zod';
import { TENANT_ID_PATTERN, USER_ID_PATTERN } from '../../common/identifiers.js';

const LIST_LIMIT_MAX = 500;
const LIST_LIMIT_DEFAULT = 50;
const REFERENCE_MAX = 255;
const CURSOR_MAX = 2_048;

/** 16 integer digits and four of the fraction; more zeros at the end change nothing, but are not endless. */
const AMOUNT_PATTERN = /^\d{1,16}(\.\d{1,4}0{0,12})?$/;
const INSTANT_PATTERN = /^(\d{4}-\d\d-\d\d)(?:T(\d\d:\d\d(?::\d\d)?)(\.\d{1,9})?(Z|[+-]\d\d:\d\d))?$/;
const CURRENCIES: ReadonlySet<string> = new Set(Intl.supportedValuesOf('currency'));

/** PostgreSQL refuses NUL, logs and terminals other control characters, UTF-8 lone surrogates. */
const UNPRINTABLE = /[\p{Cc}\p{Cs}]/u;

/** A user's id, the shard key. */
export const userIdSchema = z
  .string()
  .regex(USER_ID_PATTERN, `must match ${USER_ID_PATTERN.source}`)
  .meta({ description: 'The shard key', example: 'alice' });

/** A tenant's id. */
export const tenantIdSchema = z
  .string()
  .regex(TENANT_ID_PATTERN, 'must be a slug: 1 to 63 lower-case letters, digits and hyphens')
  .meta({ example: 'acme' });

/** A text that a person reads, of at most `max` characters; no control characters, well-formed Unicode. */
export function textSchema(max: number) {
  return z
    .string()
    .refine((text) => !UNPRINTABLE.test(text), 'must not contain control characters or lone surrogates')
    .refine((text) => Array.from(text).length <= max, `must have at most ${max} characters`)
    .meta({ maxLength: max });
}

/** What a client calls a movement: at most 255 characters. */
export const referenceSchema = textSchema(REFERENCE_MAX).meta({ example: 'Invoice 2026-041' });

/** How many items a page of a list has at most: 1 to 500, 50 by default. A query parameter; gives a number. */
export const limitSchema = z
  .string()
  .refine((text) => /^\d{1,6}$/.test(text) && inLimits(Number(text)), {
    error: `must be a whole number from 1 to ${LIST_LIMIT_MAX}`,
  })
  .transform(Number)
  .prefault(String(LIST_LIMIT_DEFAULT))
  .meta({ type: 'integer', minimum: 1, maximum: LIST_LIMIT_MAX, default: LIST_LIMIT_DEFAULT });

/** The `nextCursor` of the page before. */
export const cursorSchema = z
  .string()
  .regex(/^[A-Za-z0-9_-]+$/, 'must be the nextCursor of the page before')
  .max(CURSOR_MAX, 'must be the nextCursor of the page before')
  .meta({ description: 'The `nextCursor` of the page before' });

/** An ISO 4217 code, in upper case. */
export const currencySchema = z
  .string()
  .refine((code) => CURRENCIES.has(code), 'must be an ISO 4217 code, such as EUR')
  .meta({ pattern: '^[A-Z]{3}$', example: 'EUR' });

/** An amount above zero as a decimal string. The digits that a currency has are checked where it is known. */
export const amountSchema = z
  .string({
    error: ({ input }) =>
      typeof input === 'number'
        ? 'must be a string, such as "12.50": JSON numbers lose digits'
        : 'must be a string, such as "12.50"',
  })
  .regex(AMOUNT_PATTERN, 'must be a decimal of at most 16 integer and 4 fraction digits, without a sign')
  .refine((amount) => /[1-9]/.test(amount), 'must be above zero')
  .meta({ description: 'A decimal string above zero', example: '12.50' });

/**
 * A date (midnight UTC) or a time with its offset, from the year 1 to 9999. Gives ISO 8601 in UTC and keeps up
 * to six fraction digits, as PostgreSQL does.
 */
export const instantSchema = z
  .string()
  .transform((text, context) => {
    const instant = utcOf(text);
    if (instant !== undefined) return instant;
    context.addIssue({ code: 'custom', message: 'must be ISO 8601, such as 2026-01-31T12:00:00Z' });
    return z.NEVER;
  })
  .meta({ format: 'date-time', example: '2026-01-31T12:00:00Z' });

/** A page of a list, for the OpenAPI document. */
export function listSchema<Item extends z.ZodType>(item: Item) {
  return z.object({
    items: z.array(item),
    nextCursor: z.string().nullable().meta({ description: 'Null on the last page' }),
  });
}

function inLimits(limit: number): boolean {
  return limit >= 1 && limit <= LIST_LIMIT_MAX;
}

function utcOf(text: string): string | undefined {
  const [, date, time = '00:00:00', fraction = '', offset = 'Z'] = INSTANT_PATTERN.exec(text) ?? [];
  if (date === undefined) return undefined;
  const seconds = time.length === 5 ? `${time}:00` : time;
  // Without a fraction, because Date keeps milliseconds only. A day that the month lacks rolls over: refused.
  const local = new Date(`${date}T${seconds}Z`);
  const instant = new Date(`${date}T${seconds}${offset}`);
  if (Number.isNaN(instant.getTime()) || local.toISOString().slice(0, 10) !== date) return undefined;
  const utc = instant.toISOString();
  if (!/^\d{4}-/.test(utc) || utc.startsWith('0000')) return undefined;
  return `${utc.slice(0, 19)}${(fraction || '.000').slice(0, 7).padEnd(4, '0')}Z`;
}
