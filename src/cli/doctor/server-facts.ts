import { ADMITTED_CONNECTIONS_SQL } from '../../sharding/connections/connection-budget.js';
import type { SqlExecutor, SqlRow } from '../../common/sql-executor.js';

/** What a server says of itself, and when it said so. */
export interface ServerFacts {
  /** Such as 180004. */
  readonly version: number;
  readonly walLevel: string;
  readonly maxPreparedTransactions: number;
  readonly inRecovery: boolean;
  /** Replica: whether it receives write-ahead log at this moment. */
  readonly isReceiving: boolean;
  /** Differs between servers that do not descend from each other. */
  readonly systemIdentifier: string;
  /** The gateway's own login could go past row-level security. */
  readonly loginIsPrivileged: boolean;
  readonly admittedConnections: number;
  /** How far the server's clock is ahead of this machine's, in milliseconds; the true value is that ± half the round trip. */
  readonly clockAheadMs: number;
}

interface FactsRow extends SqlRow, Omit<ServerFacts, 'clockAheadMs' | 'admittedConnections'> {
  readonly nowMs: number;
}

const FACTS_SQL = `
  select current_setting('server_version_num')::int as version,
         current_setting('wal_level') as "walLevel",
         current_setting('max_prepared_transactions')::int as "maxPreparedTransactions",
         pg_is_in_recovery() as "inRecovery",
         exists (select from pg_stat_wal_receiver) as "isReceiving",
         (select system_identifier::text from pg_control_system()) as "systemIdentifier",
         (select rolsuper or rolbypassrls from pg_roles where rolname = current_user) as "loginIsPrivileged",
         extract(epoch from clock_timestamp())::float8 * 1000 as "nowMs"
`;

/** Asks a server, with the gateway's own login. @param nowMs this machine's clock */
export async function readServerFacts(
  server: SqlExecutor,
  nowMs: () => number = Date.now,
): Promise<ServerFacts | undefined> {
  const [admitted] = await server.query<{ admitted: number }>(ADMITTED_CONNECTIONS_SQL);
  const askedAt = nowMs();
  const [row] = await server.query<FactsRow>(FACTS_SQL);
  const answeredAt = nowMs();
  if (row === undefined || admitted === undefined) return undefined;
  const { nowMs: serverNowMs, ...facts } = row;
  return {
    ...facts,
    admittedConnections: admitted.admitted,
    clockAheadMs: serverNowMs - (askedAt + answeredAt) / 2,
  };
}
