import { ERROR_CODES, type ErrorCode } from '../../../src/common/error-codes.js';
import type { HostileAnswer } from './hostile-client.js';
import type { HostileWorld } from './hostile-world.js';
import type { HostileRequest } from './request-draft.js';

/** What only the inside of the service knows: SQL, drivers, stacks, files. */
const INSIDE = [
  /QueryFailed|DatabaseError|PostgresError|TypeORM|SQLSTATE/i,
  /syntax error at|violates|relation "|column "|permission denied|invalid input (?:syntax|value)|invalid byte sequence|out of range for type/i,
  /\b(?:finance|shardgate)\.[a-z_]+/,
  /\bat \S+ \(|\.(?:js|ts):\d+|node_modules|node:internal|file:\/\/\/(?!etc)/,
  /\/(?:work|home|usr|root|tmp|opt|src|dist)\//,
  /(?:TypeError|RangeError|SyntaxError|ReferenceError|AssertionError)\b|is not a function|of undefined/,
];

/** Node's parser refuses with a status of its own; the code says what kind of fault it is all the same. */
export const STATUSES_OF_PARSER: ReadonlySet<number> = new Set([408, 417, 431]);

/** What is wrong with an answer; undefined when nothing is. */
export function faultOf(
  request: HostileRequest,
  answer: HostileAnswer,
  world: HostileWorld,
): string | undefined {
  const { status, text } = answer;
  if (status >= 500) return `the status ${status}`;
  if (status >= 300 && status < 400) return `a redirection, ${status}`;
  if (status < 400 && request.expected !== 'any' && !isUnchanged(request, text)) {
    return `accepted with ${status}`;
  }
  if (status >= 400 && request.method !== 'HEAD') {
    const fault = problemFault(answer);
    if (fault !== undefined) return fault;
  }
  return leakIn(`${JSON.stringify(answer.headers)}\n${text}`, world);
}

/** What a text tells that it must not; undefined when nothing. */
export function leakIn(text: string, { canaries, secrets }: HostileWorld): string | undefined {
  const inside = INSIDE.map((pattern) => pattern.exec(text)?.[0]).find((found) => found !== undefined);
  if (inside !== undefined) return `the answer tells of the inside: ${inside}`;
  if (canaries.some((canary) => text.includes(canary))) return "the answer holds another tenant's data";
  return secrets.some((secret) => text.includes(secret)) ? 'the answer holds a key' : undefined;
}

/** An answer about many things of which none was done is no refusal, but says that nothing was changed. */
function isUnchanged({ expected, operation }: HostileRequest, text: string): boolean {
  if (expected !== 'unchanged') return false;
  const { updated, results } = JSON.parse(text) as { updated?: unknown; results?: readonly object[] };
  if (operation === 'patch /v1/accounts') return updated === 0;
  return operation === 'post /v1/transfers/batch' && results?.some((one) => 'transfer' in one) === false;
}

function problemFault({ status, headers, text }: HostileAnswer): string | undefined {
  const type = headers['content-type'] ?? 'none';
  if (!type.startsWith('application/problem+json')) return `the media type ${type} with ${status}`;
  const { code, status: told, instance, detail } = JSON.parse(text) as Readonly<Record<string, unknown>>;
  if (told !== status) return `the status ${status}, and another in the problem`;
  if (typeof detail !== 'string' || detail === '' || typeof instance !== 'string')
    return 'a problem without detail';
  if (typeof code !== 'string' || !Object.hasOwn(ERROR_CODES, code)) return 'a problem without a known code';
  const usual = ERROR_CODES[code as ErrorCode].status;
  const isOfParser = code === 'validation_failed' && STATUSES_OF_PARSER.has(status);
  return usual === status || isOfParser ? undefined : `the status ${status} with the code ${code}`;
}
