import type { PoolOptions } from './pool-options.js';

/** How many connections one server may have to bear from all gateway processes, and how many it admits. */
export interface ConnectionBudget {
  readonly nodeId: string;
  /** processes × (size + overflow + tenantSize + {@link BESIDE_POOLS}) */
  readonly needed: number;
  /** `max_connections` less what the server keeps for superusers. */
  readonly admitted: number;
}

/**
 * Connections of one process to a primary, or to a replica that may become one, beside its pools: for the poll, for
 * notices of writes, for recovery, and for a consistent cut.
 */
const BESIDE_POOLS = 4;

/** The settings that decide how many ordinary connections a server admits. */
export const ADMITTED_CONNECTIONS_SQL = `
  SELECT current_setting('max_connections')::int
       - current_setting('superuser_reserved_connections')::int
       - coalesce(current_setting('reserved_connections', true)::int, 0) AS admitted`;

/** The budget of one node; it is exceeded when `needed > admitted`. */
export function connectionBudget(nodeId: string, pool: PoolOptions, admitted: number): ConnectionBudget {
  const needed = pool.processes * (pool.size + pool.overflow + pool.tenantSize + BESIDE_POOLS);
  return { nodeId, needed, admitted };
}
