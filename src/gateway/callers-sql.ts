import { InstanceChecker } from 'typeorm';
import { ScopeConflictError } from '../common/gateway-error.js';

/**
 * The login for a statement that TypeORM makes of what a caller gave to a repository: the tenant's own where
 * it holds text that the caller wrote for the server, which is to say TypeORM's `Raw` conditions, and
 * functions, whose text TypeORM puts into INSERT and UPDATE as it is.
 */
export function loginFor(given: unknown): 'shared' | 'tenant' {
  return holdsSql(given, new Set()) ? 'tenant' : 'shared';
}

/** Why a transaction takes no text that a caller wrote. */
export type SqlRefusal = () => ScopeConflictError;

/** For a transaction that was asked to run on the shared login. */
export function refuseOnSharedLogin(): ScopeConflictError {
  return new ScopeConflictError(
    "This transaction runs on the gateway's shared login, where no caller's SQL may run; leave out { login: 'shared' }.",
  );
}

/** For a transaction over several shards. */
export function refuseAcrossShards(): ScopeConflictError {
  return new ScopeConflictError(
    "A transaction over several shards takes no SQL of its caller's: that runs on the tenant's login, and what a tenant " +
      'prepared the gateway could not finish after a crash. Use tx.getRepository and tx.lock.',
  );
}

function holdsSql(value: unknown, seen: Set<object>): boolean {
  if (typeof value === 'function') return true;
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return false;
  if (seen.has(value)) return false;
  seen.add(value);
  if (InstanceChecker.isFindOperator(value)) {
    return value.type === 'raw' || holdsSql(value.child, seen) || holdsSql(value.value, seen);
  }
  // Decimals carry their constructor as a property of their own.
  return Object.entries(value).some(([key, item]) => key !== 'constructor' && holdsSql(item, seen));
}
