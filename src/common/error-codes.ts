/** What a stable error code means on the wire: its HTTP status and its short title. */
export interface ErrorCodeMeaning {
  readonly status: number;
  readonly title: string;
}

/**
 * Every error code that leaves this system, in code as `GatewayError.code` and over HTTP as `code` of a
 * problem document (RFC 9457). Codes are stable across releases; messages are not.
 */
export const ERROR_CODES = {
  validation_failed: { status: 400, title: 'The request is malformed' },
  payload_too_large: { status: 413, title: 'The request body is too large' },
  unsupported_media_type: { status: 415, title: 'The media type is not supported' },
  amount_out_of_range: { status: 422, title: 'The balance would leave the range of amounts' },
  tenant_exists: { status: 409, title: 'A tenant of this id exists' },
  unauthenticated: { status: 401, title: 'No valid key was given' },
  forbidden: { status: 403, title: 'This key may not do this' },
  tenant_suspended: { status: 403, title: 'The tenant is suspended' },
  not_found: { status: 404, title: 'Not found' },
  account_number_taken: { status: 409, title: 'The account number is in use' },
  version_conflict: { status: 412, title: 'The row was changed by somebody else' },
  idempotency_key_reused: { status: 409, title: 'The idempotency key belongs to another request' },
  insufficient_funds: { status: 422, title: 'The available balance does not suffice' },
  same_account: { status: 422, title: 'The accounts are the same' },
  transfer_not_pending: { status: 422, title: 'The transfer is not pending' },
  amount_exceeds_pending: { status: 422, title: 'The amount exceeds what is held' },
  currency_mismatch: { status: 422, title: 'The currencies differ' },
  account_frozen: { status: 422, title: 'The account is frozen' },
  account_closed: { status: 422, title: 'The account is closed' },
  account_not_empty: { status: 422, title: 'The account still holds money' },
  quota_exceeded: { status: 429, title: 'The quota is used up' },
  scope_missing: { status: 400, title: 'No tenant or user is in scope' },
  scope_conflict: { status: 400, title: 'The call leaves its scope' },
  shard_unavailable: { status: 503, title: 'A shard is unavailable' },
  catalog_unavailable: { status: 503, title: 'The catalog is unavailable' },
  pool_exhausted: { status: 503, title: 'No connection became free in time' },
  overloaded: { status: 503, title: 'A queue is full' },
  two_phase_unavailable: { status: 503, title: 'No transaction can span shards' },
  rows_locked: { status: 503, title: 'Rows are locked by somebody else' },
  configuration_invalid: { status: 500, title: 'The configuration is invalid' },
  internal_error: { status: 500, title: 'An internal error' },
} as const satisfies Record<string, ErrorCodeMeaning>;

/** One of the stable codes of {@link ERROR_CODES}. */
export type ErrorCode = keyof typeof ERROR_CODES;
