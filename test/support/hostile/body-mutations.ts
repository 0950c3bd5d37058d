import { gzipSync } from 'node:zlib';
import type { Operation } from './openapi-document.js';
import { withBodyAt, withHeader, type Mutation, type RequestDraft } from './request-draft.js';
import { substitutesFor } from './schema-violations.js';

/** One byte more than the service reads. */
const OVER_LIMIT_BYTES = 1024 * 1024 + 1;
const NESTING = 100_000;

/** No JSON, or JSON that is no object. */
const BAD_BODIES: readonly (readonly [what: string, text: string | Buffer])[] = [
  ['an empty body', ''],
  ['blanks', ' \r\n\t'],
  ['a bare null', 'null'],
  ['a bare true', 'true'],
  ['a bare number', '0'],
  ['a bare string', '"x"'],
  ['an array', '[]'],
  ['an array of objects', '[{}]'],
  ['an open brace', '{'],
  ['a cut key', '{"am'],
  ['a cut value', '{"amount":'],
  ['two braces at the end', '{}}'],
  ['text after the end', '{} x'],
  ['two documents', '{}{}'],
  ['single quotes', "{'amount':'1'}"],
  ['no quotes', '{amount:1}'],
  ['a comment', '{/* */"amount":"1"}'],
  ['a comma too many', '{"amount":"1",}'],
  ['a bad escape', '{"amount":"\\x31"}'],
  ['a cut escape', '{"amount":"\\u00"}'],
  ['a raw control character', '{"amount":"\u0001"}'],
  ['a NUL', '\u0000'],
  ['a byte order mark alone', '\ufeff'],
  ['UTF-16', Buffer.from('{"amount":"1"}', 'utf16le')],
  ['bytes that are no UTF-8', Buffer.from([0x7b, 0xff, 0xfe, 0xc0, 0x80, 0x7d])],
  ['deep arrays', '['.repeat(NESTING) + ']'.repeat(NESTING)],
  ['deep arrays without an end', '['.repeat(NESTING)],
  ['deep objects', '{"a":'.repeat(NESTING) + '1' + '}'.repeat(NESTING)],
  ['deep objects in a field', `{"x":${'{"a":'.repeat(NESTING)}1${'}'.repeat(NESTING)}}`],
  ['more bytes than the limit', `{"x":"${'x'.repeat(OVER_LIMIT_BYTES)}"}`],
  ['many fields', `{${Array.from({ length: 20_000 }, (_, index) => `"f${index}":${index}`).join(',')}}`],
  ['a number of a million digits', `{"x":${'9'.repeat(1_000_000)}}`],
  ['a prototype', '{"__proto__":{"isAdmin":true}}'],
  ['a constructor', '{"constructor":{"prototype":{"isAdmin":true}}}'],
  ['an escaped prototype', '{"\\u005f_proto__":{"isAdmin":true}}'],
  ['a form', 'amount=1&reference=x'],
  ['XML', '<?xml version="1.0"?><amount>1</amount>'],
];

/** Media types that are not read. */
const BAD_MEDIA_TYPES = [
  ...['text/plain', 'text/html', 'application/xml', 'application/octet-stream', 'application/x-ndjson'],
  ...['application/x-www-form-urlencoded', 'multipart/form-data', 'multipart/form-data; boundary=x'],
  ...['nonsense', 'application/', '/json', 'application/jsonp', '*/*', 'application/vnd.api+json', ''],
];
/** Media types that may well be read as JSON. */
const ODD_MEDIA_TYPES = [
  ...[
    'APPLICATION/JSON',
    'application/json;charset=utf-16',
    'application/json; charset="',
    'application/json;',
  ],
  ...[
    'application/json; charset=us-ascii; charset=utf-7',
    'application/json, text/plain',
    ' application/json',
  ],
  ...[`application/json; x=${'y'.repeat(4_000)}`, 'application/json\t;\tboundary=\u00ff'],
];

/** What can be done to the body of an operation that has one. */
export function bodyMutations({ body, name }: Operation, baseline: RequestDraft): Mutation[] {
  if (body === undefined) return [];
  const fields = substitutesFor(body, baseline.body, name).map(({ place, value, effect }): Mutation => {
    const site = ['body', ...place].join('.');
    const apply = (draft: RequestDraft) => withBodyAt(draft, place, value);
    return { what: `another ${site}`, sites: [site], effect, apply };
  });
  return [...fields, ...wholeBodies(), ...respelled(), ...mediaTypes()];
}

function wholeBodies(): Mutation[] {
  return BAD_BODIES.map(([what, rawBody]) => ({
    what,
    sites: ['body'],
    effect: 'refused',
    apply: (draft) => ({ ...draft, rawBody }),
  }));
}

/** The good body, written otherwise: what comes of it is the reader's to say. */
function respelled(): Mutation[] {
  const spell = (what: string, respell: (json: string) => string | Buffer): Mutation => ({
    what,
    sites: ['spelling'],
    effect: 'perhaps',
    apply: (draft) => ({ ...draft, respell }),
  });
  return [
    spell('a byte order mark', (json) => `\ufeff${json}`),
    spell('each field twice', (json) => json.replace(/^\{(.*)\}$/s, '{$1,$1}')),
    spell('blanks up to the limit', (json) => json.padEnd(OVER_LIMIT_BYTES - 1, ' ')),
    spell('a NUL at the end', (json) => `${json}\u0000`),
    spell('escapes for all letters', (json) => json.replaceAll(/[a-z]/g, escaped)),
    spell('bytes that are no UTF-8', (json) => Buffer.from(json.replace(/"[\]}]*$/, '\u00ff$&'), 'latin1')),
    {
      ...spell('gzip', (json) => gzipSync(json)),
      effect: 'refused',
    },
  ];
}

function escaped(letter: string): string {
  return `\\u${letter.charCodeAt(0).toString(16).padStart(4, '0')}`;
}

function mediaTypes(): Mutation[] {
  const as = (type: string | undefined, effect: Mutation['effect']): Mutation => ({
    what: `the media type ${type ?? 'left out'}`,
    sites: ['header.content-type'],
    effect,
    apply: (draft) => withHeader(draft, 'content-type', type),
  });
  return [
    as(undefined, 'refused'),
    ...BAD_MEDIA_TYPES.map((type) => as(type, 'refused')),
    ...ODD_MEDIA_TYPES.map((type) => as(type, 'perhaps')),
  ];
}
