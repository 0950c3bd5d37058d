import { encodeToken } from '../../../src/sharding/replication/consistency-token.js';
import type { HostileWorld } from './hostile-world.js';
import type { Operation } from './openapi-document.js';
import { withHeader, type Mutation } from './request-draft.js';

type HeaderValue = string | readonly string[] | undefined;

const BAD_USERS = [
  ...[
    '',
    ' ',
    'a b',
    '-a',
    '.a',
    '../a',
    'a/b',
    "a'--",
    'a"b',
    'a;b',
    'a,b',
    '*',
    '%00',
    '\u00e9',
    'a\u00a0',
  ],
  ...['x'.repeat(65), 'x'.repeat(5_000), '{}', 'null\tnull', '<a>', '$1', 'a=b', '~none'],
];
const ODD_USERS = ['nobody', '0', 'null', 'constructor', '__proto__'.slice(2), 'A'.repeat(64), 'a@b:c+d-e._'];

const BAD_ACTORS = ['', 'x'.repeat(129), 'x'.repeat(8_000), '\u00e9', 'a\tb', '\u0080', '\u00ff\u00fe'];
const ODD_ACTORS = ["'; DROP TABLE accounts; --", '${jndi:ldap://x}', '\\u0000', '%00', '{"a":1}', '-- '];

const BAD_KEYS = ['', 'x'.repeat(256), 'x'.repeat(8_000), '\u00e9', 'a\tb', '\u00ff'];
const ODD_KEYS = ["'; DROP TABLE accounts; --", 'x'.repeat(255), '*', '%00', '{}', '__proto__'];

const BAD_ETAGS = [
  ...['', '0', '1', 'W/"1"', '""', '"-1"', '"01"', '"1.0"', '"1e3"', '"x"', '"1', "'1'", '"1","2"', '"1";'],
  ...[`"${'9'.repeat(40)}"`, '"\u00e9"', 'x'.repeat(5_000), '" 1"', '"1 "', '"__proto__"', 'null'],
];

const BAD_TOKENS = [
  ...['', 'v2', 'v2.', 'v0.AAAA', 'v2.AAAA', 'v2.AAAAAAAA', 'v2.====', 'v2.\u00ff', 'null', '{}', ',', ',,,'],
  ...[
    'v2.' + 'A'.repeat(1_000),
    'v2.' + 'A'.repeat(9_000),
    'x'.repeat(9_000),
    "v2.' OR 1=1 --",
    'v2.__proto__',
    // Of the format before, with a good checksum.
    'v1.AnMwAAAAAQAAAAAAADA5hy9qCg',
  ],
];

const LSN_MAX = 2n ** 64n - 1n;
const TIMELINE_MAX = 2 ** 32 - 1;

/** Headers that a service does not expect, or expects only from its own proxies. */
const FOREIGN_HEADERS: readonly (readonly [string, HeaderValue])[] = [
  ['x-http-method-override', 'DELETE'],
  ['x-http-method', 'PUT'],
  ['x-method-override', 'PATCH'],
  ['x-original-url', '/v1/admin/tenants'],
  ['x-rewrite-url', '/v1/admin/tenants'],
  ['x-forwarded-for', '127.0.0.1, ::1'],
  ['x-forwarded-host', 'evil.example'],
  ['x-forwarded-proto', 'javascript'],
  ['x-tenant-id', 'other'],
  ['x-request-id', '../../x'],
  ['forwarded', 'for=127.0.0.1;proto=x'],
  ['host', 'evil.example'],
  ['host', ''],
  ['cookie', `a=${'b'.repeat(7_000)}`],
  ['accept', 'text/html'],
  ['accept', 'application/xml;q=0.0001'],
  ['accept-version', '99.0.0'],
  ['accept-encoding', 'gzip;q=NaN, br, zstd'],
  ['accept-language', '*'.repeat(2_000)],
  ['range', 'bytes=0-99999999999999999999'],
  ['if-none-match', '*'],
  ['if-modified-since', 'yesterday'],
  ['origin', 'null'],
  ['referer', 'javascript:alert(1)'],
  ['upgrade', 'websocket'],
  ['upgrade', 'h2c'],
  ['te', 'trailers, deflate;q=0.5'],
  ['via', '1.1 x'],
  ['max-forwards', '-1'],
  ['cache-control', 'no-cache, no-store, max-age=-1'],
  ['content-encoding', 'nonsense'],
  ['content-language', '\u00ff'],
  ['expect', '200-ok'],
  ['expect', '100-continue'],
  ['constructor', 'x'],
  ['tostring', 'x'],
  ['x-many', Array.from({ length: 200 }, (_, index) => `v${index}`)],
];

/** What can be done to the headers of an operation. */
export function headerMutations(operation: Operation, world: HostileWorld): Mutation[] {
  const documented = operation.parameters.flatMap(({ in: where, name }) =>
    where === 'header' ? knownHeader(name, world) : [],
  );
  const foreign = FOREIGN_HEADERS.map(([name, value]) => headerIs(name, value, 'perhaps'));
  const huge = headerIs('x-huge', 'x'.repeat(20_000), 'refused');
  return [...documented, ...foreign, huge, ...authorizations(operation, world)];
}

function knownHeader(name: string, { own, other }: HostileWorld): Mutation[] {
  const all = (bad: readonly HeaderValue[], odd: readonly HeaderValue[]): Mutation[] => [
    ...bad.map((value) => headerIs(name, value, 'refused')),
    ...odd.map((value) => headerIs(name, value, 'perhaps')),
  ];
  switch (name) {
    case 'X-User-Id':
      return all([...BAD_USERS, ['a', 'b']], [...ODD_USERS, other.userId, own.userId.toUpperCase()]);
    case 'X-Actor':
      return all(BAD_ACTORS, [...ODD_ACTORS, ['a', 'b']]);
    case 'Idempotency-Key':
      return all(BAD_KEYS, [...ODD_KEYS, ['a', 'b']]);
    case 'If-Match':
      return all(BAD_ETAGS, ['*', '"999999999999999"']);
    case 'X-Consistency-Token':
      return all([...BAD_TOKENS, ...mangled(own.token)], [...forgedTokens(), other.token]);
    default:
      return all([], ['', 'x'.repeat(5_000), '\u00ff']);
  }
}

function mangled(token: string): string[] {
  return [
    ...[
      token.slice(0, -1),
      token.slice(1),
      `${token}A`,
      token.toUpperCase(),
      `${token},`,
      `${token};${token}`,
    ],
    ...[token.replace('v2.', 'v1.'), token.replace(/.$/, (last) => (last === 'A' ? 'E' : 'A'))],
    new Array<string>(600).fill(token).join(','),
  ];
}

/** Tokens with a good checksum of what no gateway has written. */
function forgedTokens(): string[] {
  const unknown = Array.from({ length: 100 }, (_, index) => ({ shardId: `x${index}`, timeline: 1, lsn: 1n }));
  const at = (shardId: string, timeline: number, lsn: bigint): string =>
    encodeToken([{ shardId, timeline, lsn }]);
  const huge = [at('s0', TIMELINE_MAX, LSN_MAX), at('s1', 1, LSN_MAX), at('s0', 1, LSN_MAX)];
  return [
    ...[encodeToken([]), encodeToken(unknown), at('s99', 1, 1n), at('s0', 0, 0n), at('s0', 7, 1n)],
    ...[...huge, huge.join(','), huge.join(' , '), new Array<string>(150).fill(at('s0', 1, 1n)).join(',')],
    at('constructor', 1, 1n),
    ...['AAAAAAAA', '________'].map((writer) =>
      encodeToken([{ shardId: 's0', timeline: 1, lsn: LSN_MAX, writer }]),
    ),
  ];
}

function headerIs(name: string, value: HeaderValue, effect: Mutation['effect']): Mutation {
  const key = name.toLowerCase();
  const shown = typeof value === 'string' ? value.slice(0, 60) : 'several';
  return {
    what: `the header ${key}: ${shown}`,
    sites: [`header.${key}`],
    effect,
    apply: (draft) => withHeader(draft, key, value),
  };
}

function authorizations(
  operation: Operation,
  { operatorKey, own, other, suspended }: HostileWorld,
): Mutation[] {
  if (operation.access === 'public') {
    return ['nonsense', 'Bearer nonsense', `Bearer ${own.key}`].map((value) => authorized(value, 'perhaps'));
  }
  const [good, wrong] = operation.access === 'operator' ? [operatorKey, own.key] : [own.key, operatorKey];
  const refused = [
    ...[
      undefined,
      '',
      'Bearer',
      'Bearer ',
      `Basic ${btoa(`x:${good}`)}`,
      `Token ${good}`,
      good,
      `Bearer: ${good}`,
    ],
    ...[`Bearer ${wrong}`, `Bearer ${suspended.key}`, `Bearer ${good}x`, `Bearer ${good.slice(0, -1)}`],
    ...[
      `Bearer ${good.toUpperCase()}`,
      `Bearer "${good}"`,
      `Bearer ${good},${good}`,
      `Bearer ${good} ${wrong}`,
    ],
    ...[
      `Bearer ${'x'.repeat(10_000)}`,
      `Bearer sg_${'a'.repeat(12)}_${'x'.repeat(43)}`,
      'Bearer \u00ff\u00fe',
    ],
    ...[
      `Bearer sg_${other.keyId}_${'x'.repeat(43)}`,
      "Bearer ' OR '1'='1",
      'Bearer __proto__',
      'Digest x="y"',
    ],
    `Bearer ${own.key.replace(own.keyId, other.keyId)}`,
  ];
  const odd = [`bearer ${good}`, `BEARER   ${good}  `];
  return [
    ...refused.map((value) => authorized(value, 'refused')),
    ...odd.map((value) => authorized(value, 'perhaps')),
    ...(operation.path.includes('{id}') ? [authorized(`Bearer ${other.key}`, 'refused')] : []),
  ];
}

function authorized(value: string | undefined, effect: Mutation['effect']): Mutation {
  // Of a key only its scheme: what is said here is printed.
  const scheme = value?.split(/[ :]/)[0]?.slice(0, 10) ?? 'none';
  return { ...headerIs('authorization', value, effect), what: `an authorization of ${scheme}` };
}
