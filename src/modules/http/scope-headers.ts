import {
  GatewayError,
  ScopeMissingError,
  ValidationError,
  type FieldFault,
} from '../../common/gateway-error.js';
import { ACTOR_PATTERN, USER_ID_PATTERN } from '../../common/identifiers.js';
import type { WrittenPosition } from '../../common/written-position.js';
import { decodeTokens } from '../../sharding/replication/consistency-token.js';
import { asksPastCache } from './cache-control.js';

/** Who acts in a request, what its reads must see at least, and whether the cache may answer them. */
export interface ScopeHeaders {
  readonly userId: string | undefined;
  /** Undefined: the default applies. */
  readonly actor: string | undefined;
  readonly positions: readonly WrittenPosition[];
  readonly goesPastCache: boolean;
}

/** The request's headers, as Node has them: names in lower case. */
export type Headers = Readonly<Record<string, string | string[] | undefined>>;

/**
 * Reads `X-User-Id`, `X-Actor`, `X-Consistency-Token` and `Cache-Control`.
 *
 * @throws ValidationError with every fault of the first three; of the last, what is malformed is ignored
 * @throws ScopeMissingError when the route needs a user and none is named
 */
export function readScopeHeaders(headers: Headers, userRequired: boolean): ScopeHeaders {
  const faults: FieldFault[] = [];
  const userId = textOf(headers['x-user-id']);
  const actor = textOf(headers['x-actor']);
  if (userId !== undefined && !USER_ID_PATTERN.test(userId)) {
    faults.push({ path: 'X-User-Id', message: `must match ${USER_ID_PATTERN.source}` });
  }
  if (actor !== undefined && !ACTOR_PATTERN.test(actor)) {
    faults.push({ path: 'X-Actor', message: 'must be 1 to 128 printable ASCII characters' });
  }
  const positions = readPositions(textOf(headers['x-consistency-token']), faults);
  if (faults.length > 0) throw new ValidationError(faults);
  if (userRequired && userId === undefined) {
    throw new ScopeMissingError('This route acts for one user; name the user in the header X-User-Id.');
  }
  return { userId, actor, positions, goesPastCache: asksPastCache(textOf(headers['cache-control'])) };
}

function readPositions(header: string | undefined, faults: FieldFault[]): readonly WrittenPosition[] {
  if (header === undefined) return [];
  try {
    return decodeTokens(header);
  } catch (error) {
    if (!(error instanceof GatewayError) || error.errors === undefined) throw error;
    faults.push(...error.errors);
    return [];
  }
}

/** A header that came twice is joined, as Node does with most: no rule of ours lets the comma pass. */
function textOf(header: string | string[] | undefined): string | undefined {
  return Array.isArray(header) ? header.join(',') : header;
}
