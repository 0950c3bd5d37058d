import { ERROR_CODES, type ErrorCode } from './error-codes.js';

/** One fault in a piece of input: where it is (dotted path, empty for the whole) and what is wrong. */
export interface FieldFault {
  readonly path: string;
  readonly message: string;
}

/** What an error may carry besides its code and message. */
export interface GatewayErrorDetails {
  /** The underlying error, for logs only: it never reaches a client. */
  readonly cause?: unknown;
  /** Every fault of the input, for `validation_failed`. */
  readonly errors?: readonly FieldFault[];
  /** Whole seconds after which a retry makes sense, sent as `Retry-After`. */
  readonly retryAfterSeconds?: number;
}

/**
 * The one error that leaves this library. Its `message` says what to do about it and holds no SQL, no
 * parameter and no other tenant's data, so that it may be shown to a client as it is.
 */
export class GatewayError extends Error {
  readonly code: ErrorCode;
  readonly errors: readonly FieldFault[] | undefined;
  readonly retryAfterSeconds: number | undefined;

  constructor(code: ErrorCode, message: string, details: GatewayErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = new.target.name;
    this.code = code;
    this.errors = details.errors;
    this.retryAfterSeconds = details.retryAfterSeconds;
  }

  /** The HTTP status that belongs to the code. */
  get status(): number {
    return ERROR_CODES[this.code].status;
  }
}

/** Malformed input; lists every fault. */
export class ValidationError extends GatewayError {
  constructor(faults: readonly FieldFault[]) {
    const summary = faults.map(({ path, message }) => (path ? `${path}: ${message}` : message)).join('; ');
    super('validation_failed', summary, { errors: faults });
  }
}

/** A call without a tenant, or a user-scoped call without a user, in scope. */
export class ScopeMissingError extends GatewayError {
  constructor(message: string) {
    super('scope_missing', message);
  }
}

/** A call that would leave its scope: another tenant, another user, a foreign row. */
export class ScopeConflictError extends GatewayError {
  constructor(message: string) {
    super('scope_conflict', message);
  }
}

/** Not there, or not this tenant's or user's to see: the two are never told apart. */
export class NotFoundError extends GatewayError {
  constructor(what: string) {
    super('not_found', `${what} was not found.`);
  }
}

/** One shard cannot serve; the rest of the system goes on. */
export class ShardUnavailableError extends GatewayError {
  readonly shardId: string;

  constructor(shardId: string, reason: string, cause?: unknown) {
    super('shard_unavailable', `Shard ${shardId} is unavailable: ${reason}`, { cause, retryAfterSeconds: 1 });
    this.shardId = shardId;
  }
}

/** The catalog database cannot be reached; what is in memory goes on, changes wait. */
export class CatalogUnavailableError extends GatewayError {
  constructor(cause?: unknown) {
    super('catalog_unavailable', 'The catalog cannot be reached; try again shortly.', {
      cause,
      retryAfterSeconds: 1,
    });
  }
}

/** No connection became free within the acquire timeout. */
export class PoolExhaustedError extends GatewayError {
  constructor(nodeId: string, timeoutMs: number) {
    super(
      'pool_exhausted',
      `No connection to ${nodeId} became free within ${timeoutMs} ms; retry, or raise pool.size or pool.overflow.`,
      { retryAfterSeconds: 1 },
    );
  }
}

/** The configuration cannot be used; the message names the option and the fix. */
export class ConfigurationError extends GatewayError {
  constructor(message: string, cause?: unknown) {
    super('configuration_invalid', message, { cause });
  }
}
