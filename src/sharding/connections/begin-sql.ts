import pg from 'pg';
import type { IsolationLevel } from 'typeorm/driver/types/IsolationLevel.js';
import type { TenantSession } from './tenant-session.js';

/**
 * A transaction that has exported its snapshot cannot be prepared: a caller's PREPARE TRANSACTION would leave
 * it, and its locks, behind for ever. A replica prepares none.
 */
const UNPREPARABLE_SQL = `; SELECT CASE WHEN NOT pg_is_in_recovery() THEN pg_export_snapshot() END`;

/** @see TenantSession.goesByIndex */
const BY_INDEX_SQL = [
  '; SET LOCAL plan_cache_mode = force_generic_plan',
  ...['seqscan', 'bitmapscan', 'hashjoin', 'mergejoin', 'material'].map(
    (way) => `; SET LOCAL enable_${way} = off`,
  ),
].join(' ');

/** Begins a transaction of a session: names tenant and actor, for as long as the transaction lasts. */
export function beginSql(
  { tenantId, actor, access, login, lockTimeoutMs, goesByIndex = false }: TenantSession,
  isolation?: IsolationLevel,
): string {
  return [
    'BEGIN',
    isolation === undefined ? '' : `ISOLATION LEVEL ${isolation}`,
    access === 'read' ? 'READ ONLY' : 'READ WRITE',
    `; SET LOCAL shardgate.tenant_id = ${pg.escapeLiteral(tenantId)}`,
    `; SET LOCAL shardgate.actor = ${pg.escapeLiteral(actor)}`,
    lockTimeoutMs === undefined ? '' : `; SET LOCAL lock_timeout = ${lockTimeoutMs}`,
    goesByIndex ? BY_INDEX_SQL : '',
    login === 'tenant' ? UNPREPARABLE_SQL : '',
  ].join(' ');
}
