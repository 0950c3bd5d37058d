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

/** What a transaction on the shared login answers to text that a caller wrote. */
export function callersSqlRefused(): ScopeConflictError {
  return new ScopeConflictError(
    "This transaction runs on the gateway's shared login, where no caller's SQL may run; leave out { login: 'shared' }.",
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
