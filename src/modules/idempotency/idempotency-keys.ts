import type { EntityManager } from 'typeorm';
import { GatewayContext } from '../../common/gateway-context.js';
import { GatewayError } from '../../common/gateway-error.js';
import type { Answer, DecidedOutcome, StoredOutcome, StoredResponse } from './decided-outcome.js';
import { fromStored, toStored } from './decided-outcome.js';
import { differingField, type KeyedRequest, type RequestFields } from './request-difference.js';

/** Whose keys are meant: a tenant's, of one owner of accounts. */
export interface KeyScope {
  readonly tenantId: string;
  /** The user, or {@link NO_OWNER}. */
  readonly userId: string;
  readonly bucket: number;
}

/** What a client says to have a request done once. */
export interface IdempotencyKey {
  /** 1 to 255 printable characters. */
  readonly key: string;
  /** The id of this request, which a problem document names as its instance. */
  readonly requestId?: string | undefined;
}

/** A request with its key, and what its answer looks like. */
export interface IdempotentRequest<Body> extends KeyedRequest {
  readonly idempotency: IdempotencyKey;
  /** The names of the body's fields in the order in which they are sent. */
  readonly shape: readonly (keyof Body & string)[];
}

/** Keys of requests about an account that does not exist are kept under this: no user's id begins with a tilde. */
export const NO_OWNER = '~none';

/** The key that came with a request, if one did. */
export function keyOf(key: string | undefined, requestId: string): IdempotencyKey | undefined {
  return key === undefined ? undefined : { key, requestId };
}

/** Waits for a transaction under way that holds the same key, and is refused when that one commits. */
const BEGIN_SQL = `
  INSERT INTO shardgate.idempotency_keys (tenant_id, user_id, key, bucket, operation, request)
  VALUES ($1, $2, $3, $4, $5, $6::jsonb)
  ON CONFLICT DO NOTHING
  RETURNING key`;

const FINISH_SQL = `
  UPDATE shardgate.idempotency_keys SET status = $4, response = $5::jsonb
  WHERE tenant_id = $1 AND user_id = $2 AND key = $3`;

const READ_SQL = `
  SELECT operation, request, status, response FROM shardgate.idempotency_keys
  WHERE tenant_id = $1 AND user_id = $2 AND key = $3`;

/** A request as it is kept under its key, with its outcome. */
export interface RememberedRequest {
  readonly operation: string;
  readonly request: RequestFields;
  readonly status: number | null;
  readonly response: StoredResponse | null;
}

/**
 * Decides a request once, inside the transaction of its effect: the key is taken first and gets the outcome
 * last, so that key, effect and outcome are kept together or not at all.
 *
 * @param manager of a READ COMMITTED transaction on the shard where the scope's keys live
 * @param decide does what the request asks for; a refusal it returns is remembered, an error it throws undoes
 *   everything
 * @throws GatewayError `idempotency_key_reused` when the key belongs to another request
 */
export async function decideOnce<Body extends object>(
  manager: EntityManager,
  scope: KeyScope,
  request: IdempotentRequest<Body>,
  decide: () => Promise<DecidedOutcome<Body>>,
): Promise<Answer<Body>> {
  const { key, requestId } = request.idempotency;
  const identity = [scope.tenantId, scope.userId, key];
  const begun = await manager.query<object[]>(BEGIN_SQL, [
    ...identity,
    scope.bucket,
    request.operation,
    JSON.stringify(request.fields),
  ]);
  if (begun.length === 0) {
    const earlier = await findAnswer(manager, scope, request);
    if (earlier !== undefined) return earlier;
    throw new GatewayError('overloaded', 'The request with this key has just been given up; send it again.', {
      retryAfterSeconds: 1,
    });
  }
  const outcome = await decide();
  const { status, response } = toStored(outcome, requestId);
  await manager.query(FINISH_SQL, [...identity, status, JSON.stringify(response)]);
  return { outcome, replayed: false, requestId };
}

/**
 * The answer that is remembered under a request's key, if there is one.
 *
 * @throws GatewayError `idempotency_key_reused` when the key belongs to another request
 */
export async function findAnswer<Body extends object>(
  manager: EntityManager,
  scope: KeyScope,
  request: IdempotentRequest<Body>,
): Promise<Answer<Body> | undefined> {
  const identity = [scope.tenantId, scope.userId, request.idempotency.key];
  const [row] = await manager.query<RememberedRequest[]>(READ_SQL, identity);
  return row && rememberedAnswer(row, request);
}

/**
 * The answer to a request whose key is remembered already.
 *
 * @throws GatewayError `idempotency_key_reused` when the key belongs to another request
 */
export function rememberedAnswer<Body extends object>(
  row: RememberedRequest,
  request: Omit<IdempotentRequest<Body>, 'idempotency'>,
): Answer<Body> | undefined {
  assertSameRequest({ operation: row.operation, fields: row.request }, request);
  const stored = storedOutcomeOf(row);
  if (stored === undefined) return undefined;
  // The token leads past the first request's writes, whichever process they went through.
  GatewayContext.trace()?.restOnOthers();
  const outcome = fromStored(stored, request.shape);
  return { outcome, replayed: true, requestId: stored.response.requestId ?? undefined };
}

/** @throws GatewayError `idempotency_key_reused` when a request of the same key asks for something else */
export function assertSameRequest(kept: KeyedRequest, given: KeyedRequest): void {
  const difference = differingField(kept, given);
  if (difference !== undefined) throw keyReused(difference);
}

/** A committed key has its outcome: the two are written in one transaction. */
function storedOutcomeOf({ status, response }: RememberedRequest): StoredOutcome | undefined {
  return status === null || response === null ? undefined : { status, response };
}

function keyReused(field: string): GatewayError {
  return new GatewayError(
    'idempotency_key_reused',
    `The idempotency key belongs to a request with another ${field}; use a new key for a new request.`,
  );
}
