import { ERROR_CODES, type ErrorCode } from '../../common/error-codes.js';
import { GatewayError } from '../../common/gateway-error.js';

/** How a decided request ended: done, or refused with nothing else changed. */
export type DecidedOutcome<Body> =
  | { readonly kind: 'done'; readonly status: number; readonly body: Body }
  | { readonly kind: 'refused'; readonly error: GatewayError };

/** An outcome, and whether it is the remembered one of an earlier request. */
export interface Answer<Body> {
  readonly outcome: DecidedOutcome<Body>;
  readonly replayed: boolean;
  /** The id of the request that was decided; with `replayed`, that of the earlier one. */
  readonly requestId: string | undefined;
}

/** An outcome as it is kept. */
export interface StoredOutcome {
  readonly status: number;
  readonly response: StoredResponse;
}

/** What is kept of an answer: its body, or of a refusal what its problem document is made of. */
export interface StoredResponse {
  readonly requestId: string | null;
  readonly body?: unknown;
  readonly code?: string;
  readonly message?: string;
}

/** Refusals that are decisions about the request. Malformed input, access, quotas and outages are none. */
const DECIDED_STATUSES: ReadonlySet<number> = new Set([404, 409, 412, 422]);

/** Whether an error is a decided outcome, which a key remembers. */
export function isDecided(error: unknown): error is GatewayError {
  return error instanceof GatewayError && DECIDED_STATUSES.has(error.status);
}

/** What to keep of an outcome. */
export function toStored(outcome: DecidedOutcome<unknown>, requestId: string | undefined): StoredOutcome {
  const response = { requestId: requestId ?? null };
  if (outcome.kind === 'done') {
    return { status: outcome.status, response: { ...response, body: outcome.body } };
  }
  const { code, message, status } = outcome.error;
  return { status, response: { ...response, code, message } };
}

/**
 * The outcome that was kept.
 *
 * @param shape the names of the body's fields, in the order in which they were first sent: the database does
 *   not keep an order, and the same answer is to be the same text
 */
export function fromStored<Body extends object>(
  { status, response }: StoredOutcome,
  shape: readonly (keyof Body & string)[],
): DecidedOutcome<Body> {
  const { body, code, message = '' } = response;
  if (isErrorCode(code)) return { kind: 'refused', error: new GatewayError(code, message) };
  const fields = body as Record<string, unknown>;
  const ordered = Object.fromEntries(shape.map((name) => [name, fields[name]]));
  return { kind: 'done', status, body: ordered as Body };
}

function isErrorCode(code: string | undefined): code is ErrorCode {
  return code !== undefined && code in ERROR_CODES;
}
