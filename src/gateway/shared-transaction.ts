import { GatewayError } from '../common/gateway-error.js';
import { isConnectionFailure, sqlStateOf } from '../sharding/connections/failure.js';

export type { Participant } from '../sharding/transactions/commit-coordinator.js';
export type { NamedStatement } from '../sharding/connections/statement-group.js';
export { waitingWritesOf } from '../sharding/transactions/waiting-writes.js';
export type { TenantTransaction } from '../sharding/connections/tenant-transaction.js';

/**
 * What a failed transaction comes to: `lost`, where nobody knows whether it was kept; `busy`, where it did not get
 * a lock in time; `conflict`, where another transaction was in its way; `refused`, where the gateway itself said
 * why; `faulty`, where a statement did not fit. All but the first have changed nothing.
 */
export type TransactionFailure = 'lost' | 'busy' | 'conflict' | 'refused' | 'faulty';

const LOCK_NOT_AVAILABLE = '55P03';

/** SQLSTATEs of serialization_failure, deadlock_detected and unique_violation. */
const CONFLICTS: ReadonlySet<string> = new Set(['40001', '40P01', '23505']);

/** Tells what a failed transaction comes to. */
export function failureOf(error: unknown): TransactionFailure {
  if (error instanceof GatewayError) return 'refused';
  if (isConnectionFailure(error)) return 'lost';
  const state = sqlStateOf(error) ?? '';
  if (state === LOCK_NOT_AVAILABLE) return 'busy';
  return CONFLICTS.has(state) ? 'conflict' : 'faulty';
}
