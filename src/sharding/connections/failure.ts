import type pg from 'pg';
import { QueryFailedError } from 'typeorm';

/** SQLSTATEs with which a server says that it cannot serve now: shutdown, start-up, crash, no slot free. */
const SERVER_AWAY = new Set(['57P01', '57P02', '57P03', '53300']);

/** What Node and the driver say when a socket is gone; the driver's have no codes. */
const SOCKET_CODES = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
]);
const DRIVER_MESSAGES =
  /^(Connection terminated|Client has encountered a connection error|Client was closed|Query read timeout|timeout expired)/;

/** What the driver threw, whether TypeORM has wrapped it or not. Told by shape: errors of Node's core may be of another realm. */
function causeOf(error: unknown): {
  message: string;
  code?: unknown;
  constraint?: unknown;
  errors?: unknown;
} {
  const cause: unknown = error instanceof QueryFailedError ? error.driverError : error;
  return typeof cause === 'object' &&
    cause !== null &&
    'message' in cause &&
    typeof cause.message === 'string'
    ? (cause as { message: string })
    : { message: '' };
}

/** Whether a failure means that the connection or its server is gone, rather than that the statement is wrong. */
export function isConnectionFailure(error: unknown): boolean {
  const cause = causeOf(error);
  const { message, errors } = cause;
  const code = sqlStateOf(error) ?? '';
  // A statement can raise any code of five letters and any message: what the server sends is no socket's.
  const isSockets = !(cause instanceof SafeDriverError || isServerError(cause));
  return (
    SERVER_AWAY.has(code) ||
    // A protocol violation (08P01) is a statement at fault, such as one with too few parameters.
    (code.startsWith('08') && code !== '08P01') ||
    (isSockets && (SOCKET_CODES.has(code) || DRIVER_MESSAGES.test(message))) ||
    (Array.isArray(errors) && errors.some(isConnectionFailure))
  );
}

/** The SQLSTATE of a failed statement, or the code of a failed socket; undefined when there is neither. */
export function sqlStateOf(error: unknown): string | undefined {
  const { code } = causeOf(error);
  return typeof code === 'string' ? code : undefined;
}

/** What of a server's error may be seen: where and what kind, but no value and no statement. */
class SafeDriverError extends Error {
  readonly code: string | undefined;
  readonly constraint: string | undefined;
  readonly schema: string | undefined;
  readonly table: string | undefined;
  readonly column: string | undefined;

  constructor(error: pg.DatabaseError) {
    // Class 22 (data exceptions) quotes the offending value in its message; others name objects only.
    super(error.code?.startsWith('22') ? `A value does not fit its column (${error.code}).` : error.message);
    this.name = 'DriverError';
    this.code = error.code;
    this.constraint = error.constraint;
    this.schema = error.schema;
    this.table = error.table;
    this.column = error.column;
  }
}

/**
 * TypeORM's own error for a failed statement, so that callers may test for it as they are used to, but
 * without the statement, its parameters and the server's DETAIL line, which quotes values.
 */
export function toQueryFailedError(error: unknown): QueryFailedError {
  return new QueryFailedError(
    '',
    undefined,
    isServerError(error) ? new SafeDriverError(error) : asError(error),
  );
}

function isServerError(error: unknown): error is pg.DatabaseError {
  return (
    typeof error === 'object' && error !== null && 'severity' in error && sqlStateOf(error) !== undefined
  );
}

/** Keeps message and code also of an error of another realm, which is no instance of this one's Error. */
function asError(error: unknown): Error {
  if (error instanceof Error) return error;
  const { message, code } = causeOf(error);
  return Object.assign(new Error(message === '' ? 'The driver failed without a reason.' : message), { code });
}
