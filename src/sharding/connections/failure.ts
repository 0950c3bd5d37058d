import pg from 'pg';
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

/** Whether a failure means that the connection or its server is gone, rather than that the statement is wrong. */
export function isConnectionFailure(error: unknown): boolean {
  const cause: unknown = error instanceof QueryFailedError ? error.driverError : error;
  if (!(cause instanceof Error)) return false;
  const code = 'code' in cause && typeof cause.code === 'string' ? cause.code : '';
  return (
    SERVER_AWAY.has(code) ||
    code.startsWith('08') ||
    SOCKET_CODES.has(code) ||
    DRIVER_MESSAGES.test(cause.message) ||
    (cause instanceof AggregateError && cause.errors.some(isConnectionFailure))
  );
}

/** The SQLSTATE of a failed statement, or undefined when the failure did not come from the server. */
export function sqlStateOf(error: unknown): string | undefined {
  const cause: unknown = error instanceof QueryFailedError ? error.driverError : error;
  return cause instanceof Error && 'code' in cause && typeof cause.code === 'string' ? cause.code : undefined;
}

/** The constraint that a failed statement violated, if any. */
export function constraintOf(error: unknown): string | undefined {
  const cause: unknown = error instanceof QueryFailedError ? error.driverError : error;
  return cause instanceof Error && 'constraint' in cause && typeof cause.constraint === 'string'
    ? cause.constraint
    : undefined;
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
  const failure = error instanceof Error ? error : new Error('The driver failed without an error.');
  const safe = failure instanceof pg.DatabaseError ? new SafeDriverError(failure) : failure;
  return new QueryFailedError('', undefined, safe);
}
