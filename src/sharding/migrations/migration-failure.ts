import pg from 'pg';
import { QueryFailedError } from 'typeorm';
import { ConfigurationError, GatewayError, ShardUnavailableError } from '../../common/gateway-error.js';
import { isConnectionFailure, sqlStateOf, toQueryFailedError } from '../connections/failure.js';

/**
 * Says which step of which shard failed and why. Errors that say so themselves pass; a connection that broke
 * makes the shard unavailable; all else is for a person to correct. The cause holds neither statement nor
 * parameters.
 *
 * @param step what was being done, as a whole sentence's subject: `The migration AddInvoices…`
 */
export function migrationFailure(shardId: string, step: string, error: unknown): GatewayError {
  if (error instanceof GatewayError) return error;
  const safe = withoutStatement(error);
  if (isConnectionFailure(error)) {
    return new ShardUnavailableError(
      shardId,
      `${step} could not reach its primary, or lost it; check that it runs, and its adminUrl, and run migrate again.`,
      safe,
    );
  }
  const state = sqlStateOf(error);
  const reason = reasonOf(safe);
  return new ConfigurationError(
    `${step} failed on ${shardId}: ${reason}${state === undefined ? '' : ` (${state})`}. ` +
      'What was applied before stays; correct this and run migrate again.',
    safe,
  );
}

function withoutStatement(error: unknown): unknown {
  if (error instanceof QueryFailedError) return toQueryFailedError(error.driverError);
  return error instanceof pg.DatabaseError ? toQueryFailedError(error) : error;
}

function reasonOf(safe: unknown): string {
  const cause: unknown = safe instanceof QueryFailedError ? safe.driverError : safe;
  return cause instanceof Error ? cause.message : 'unknown reason';
}
