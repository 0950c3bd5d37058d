import { HOSTILE_TEXTS, BAD_INSTANTS, BAD_LIMITS, ODD_INSTANTS, absentIds, badIds } from './hostile-texts.js';
import type { HostileWorld } from './hostile-world.js';
import type { Operation, Parameter } from './openapi-document.js';
import type { Mutation } from './request-draft.js';
import { idFor } from './baseline.js';

/** Parts of a path as only an attacker writes them. */
const RAW_PARTS = [
  ...['%2e%2e', '%2e%2e%2f%2e%2e', '..%2f..%2fhealth%2flive', '%252e%252e', '..;', '.', '%2e', '%5c..%5c'],
  ...[
    '%00',
    '%',
    '%zz',
    '%E0%A4%A',
    '%c0%ae%c0%ae',
    '%ff%fe',
    '%ed%a0%80',
    '%u0041',
    '%0d%0aX-Injected:%201',
  ],
  ...[
    '%20',
    '+',
    '~',
    '*',
    '%2a',
    '$',
    '%24%7b7*7%7d',
    '%3f',
    '%23',
    ';a=b',
    '@',
    ':id',
    '%3Aid',
    '{id}',
    '%7Bid%7D',
  ],
  ...['a'.repeat(256), 'a'.repeat(257), 'a'.repeat(5_000), '%61'.repeat(500), 'a'.repeat(20_000)],
  ...['__proto__', 'constructor', 'undefined', 'null', 'NaN', '0', '-1', '%F0%9F%92%B0', '%CC%81'],
];

/** Whole query strings that no client makes by accident. */
const RAW_QUERIES = [
  ...[
    '__proto__[x]=1',
    '__proto__=1',
    'constructor=1',
    'constructor[prototype][x]=1',
    'a[b]=c',
    'a[]=1',
    '=',
    '=1',
  ],
  ...[
    '&&&',
    '%',
    '%zz=1',
    'x=%E0%A4%A',
    '%00=%00',
    'x',
    'x=1;y=2',
    '?',
    '??',
    "'=1",
    '{"a":1}',
    'limit[]=1',
    'limit',
  ],
  ...[
    `x=${'y'.repeat(10_000)}`,
    Array.from({ length: 1_500 }, (_, index) => `p${index}=`).join('&'),
    'offset=1',
  ],
];

/** What can be done to the path and the query of an operation. */
export function addressMutations(operation: Operation, world: HostileWorld): Mutation[] {
  const parameters = operation.parameters.flatMap((parameter) => {
    if (parameter.in === 'path') return inPath(operation, parameter, world);
    return parameter.in === 'query' ? inQuery(operation, parameter, world) : [];
  });
  // Also where no query is read: an option that was meant must not be ignored in silence.
  const refusesUnknown = operation.access !== 'public';
  const whole = RAW_QUERIES.map((text) =>
    queryIs(text, refusesUnknown && !/^[&?=]*$/.test(text) ? 'refused' : 'perhaps'),
  );
  return [...parameters, ...whole, queryIs(`x=${'y'.repeat(20_000)}`, 'refused')];
}

function inPath(operation: Operation, { name, schema }: Parameter, world: HostileWorld): Mutation[] {
  const real = idFor(operation, name, world);
  const part = (value: string, effect: Mutation['effect']): Mutation => ({
    what: `the path's ${name} ${value.slice(0, 60)}`,
    sites: [`path.${name}`],
    effect,
    apply: (draft) => ({ ...draft, path: { ...draft.path, [name]: value } }),
  });
  const texts = HOSTILE_TEXTS.filter((text) => text.length < 10_000).map(percentEncoded);
  const bad = [
    ...RAW_PARTS,
    ...texts,
    `${real}%00`,
    `${real}%0a`,
    `%20${real}`,
    `${real};v=1`,
    `${real}.json`,
    `${real}//`,
  ];
  if (schema.format !== 'uuid') {
    return [...bad, 'no-such-id', 'abcdefghijkl', '-', real.toUpperCase()].map((value) =>
      part(value, 'refused'),
    );
  }
  const { other } = world;
  const absent = [...absentIds(real), other.accountId, other.transactionId, world.suspended.accountId];
  return [
    ...[...bad, ...badIds(real).map(percentEncoded)].map((value) => part(value, 'refused')),
    ...absent.map((value) => part(value, 'refused')),
    ...[real.toUpperCase(), percentEncodedWhole(real)].map((value) => part(value, 'perhaps')),
  ];
}

function inQuery(operation: Operation, parameter: Parameter, world: HostileWorld): Mutation[] {
  const { name, schema, required } = parameter;
  const value = (text: string, effect: Mutation['effect']): Mutation =>
    queryHas(name, `${name}=${percentEncoded(text)}`, effect);
  const all = (bad: readonly string[], odd: readonly string[]): Mutation[] => [
    ...bad.map((text) => value(text, 'refused')),
    ...odd.map((text) => value(text, 'perhaps')),
    queryHas(name, `${name}=a&${name}=b`, 'refused'),
    queryHas(name, `${name}[]=1`, 'refused'),
    queryHas(name, `${name}[__proto__]=1`, 'refused'),
    ...(required === true ? [queryHas(name, undefined, 'refused')] : []),
  ];
  const texts = HOSTILE_TEXTS.filter((text) => text.length < 6_000);
  if (schema.type === 'integer') return all(BAD_LIMITS, ['1', '500', '0500']);
  if (schema.format === 'date-time') return all(BAD_INSTANTS, ODD_INSTANTS);
  if (schema.enum !== undefined) {
    const near = schema.enum.map((one) => ` ${one}`);
    return all([...texts.filter((text) => schema.enum?.includes(text) !== true), ...near], schema.enum);
  }
  if (name === 'cursor') return all([...cursorsNotOf(operation, world), ...texts], []);
  const breaks = (text: string): boolean =>
    schema.pattern !== undefined && !new RegExp(schema.pattern, 'u').test(text);
  return all(texts.filter(breaks), [...texts.filter((text) => !breaks(text)), world.other.accountNumber]);
}

function cursorsNotOf({ name }: Operation, { own, other }: HostileWorld): string[] {
  const [accounts = '', entries = ''] = own.cursors;
  const elsewhere = name === 'get /v1/accounts' ? [entries] : [accounts];
  const json = Buffer.from(accounts, 'base64url').toString();
  const [, ...keys] = JSON.parse(json) as unknown[];
  const forge = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  return [
    ...elsewhere,
    ...[accounts.slice(1), accounts.slice(0, -1), `${accounts}A`, `${entries}=`, accounts.toLowerCase()],
    ...[
      forge([]),
      forge(['', ...keys]),
      forge(['AAAAAAAAAAAA', ...keys]),
      forge({}),
      forge(null),
      forge([[[]]]),
    ],
    ...[forge(['AAAAAAAAAAAA', "'; DROP TABLE accounts; --"]), forge('['.repeat(1_000)), 'A'.repeat(2_049)],
    ...[Buffer.from('['.repeat(1_500)).toString('base64url'), other.accountId, 'AAAA', '____', '-'],
  ];
}

function queryIs(text: string, effect: Mutation['effect']): Mutation {
  return {
    what: `the query ${text.slice(0, 60)}`,
    sites: ['query'],
    effect,
    apply: (draft) => ({ ...draft, query: [...draft.query, text] }),
  };
}

function queryHas(name: string, text: string | undefined, effect: Mutation['effect']): Mutation {
  return {
    what: `the query ${text?.slice(0, 60) ?? `without ${name}`}`,
    sites: [`query.${name}`],
    effect,
    apply: (draft) => {
      const others = draft.query.filter((one) => !one.startsWith(`${name}=`));
      return { ...draft, query: text === undefined ? others : [...others, text] };
    },
  };
}

/** UTF-8 in percent-encoding; for a lone surrogate the three bytes that UTF-8 does not have. */
function percentEncoded(text: string): string {
  return text
    .split(/(\p{Cs})/u)
    .map((part) => (/\p{Cs}/u.test(part) ? '%ed%a0%80' : encodeURIComponent(part)))
    .join('');
}

function percentEncodedWhole(text: string): string {
  return [...Buffer.from(text)].map((byte) => `%${byte.toString(16).padStart(2, '0')}`).join('');
}
