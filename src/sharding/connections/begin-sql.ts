import pg from 'pg';
import type { IsolationLevel } from 'typeorm/driver/types/IsolationLevel.js';
import type { TenantSession } from './tenant-session.js';

/**
 * A transaction that has exported its snapshot cannot be prepared: a caller's PREPARE TRANSACTION would leave
 * it, and its locks, behind for ever. A replica prepares none.
 */
const UNPREPARABLE_SQL = `; SELECT CASE WHEN NOT pg_is_in_recovery() THEN pg_export_snapshot() END`;

/** Begins a transaction of a session: names tenant and actor, for as long as the transaction lasts. */
export function beginSql(
  { tenantId, actor, access, login, lockTimeoutMs }: TenantSession,
  isolation?: IsolationLevel,
): string {
  return [
    'BEGIN',
    isolation === undefined ? '' : `ISOLATION LEVEL ${isolation}`,
    access === 'read' ? 'READ ONLY' : 'READ WRITE',
    `; SET LOCAL shardgate.tenant_id = ${pg.escapeLiteral(tenantId)}`,
    `; SET LOCAL shardgate.actor = ${pg.escapeLiteral(actor)}`,
    lockTimeoutMs === undefined ? '' : `; SET LOCAL lock_timeout = ${lockTimeoutMs}`,
    login === 'tenant' ? UNPREPARABLE_SQL : '',
  ].join(' ');
}
