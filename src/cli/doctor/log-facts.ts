import type { SqlExecutor, SqlRow } from '../../common/sql-executor.js';
import { CACHE_PUBLICATION } from '../../sharding/connections/cache-publication.js';
import { refusalToFollow } from '../../sharding/connections/log-access.js';

/** What a primary says of its write-ahead log, which caches in strict mode follow. */
export interface LogFacts {
  readonly walLevel: string;
  /** Slots and senders that are not in use at this moment. */
  readonly freeSlots: number;
  readonly freeSenders: number;
  /** How much of the log is kept for one that follows and stands still, in MB; negative: all of it. */
  readonly keptForSlotsMb: number;
  /** Tables of which whose and which rows are published, `schema.table`. */
  readonly published: readonly string[];
  /** What the server says to the login that is to follow; undefined: it may. */
  readonly refusal: string | undefined;
}

const FACTS_SQL = `
  select current_setting('wal_level') as "walLevel",
    current_setting('max_replication_slots')::int - (select count(*) from pg_replication_slots)::int as "freeSlots",
    current_setting('max_wal_senders')::int - (select count(*) from pg_stat_replication)::int as "freeSenders",
    (select setting::float8 from pg_settings where name = 'max_slot_wal_keep_size') as "keptForSlotsMb",
    (select coalesce(array_agg(schemaname || '.' || tablename), '{}') from pg_publication_tables
      where pubname = $1 and attnames @> '{tenant_id,id}' and rowfilter is null) as published
`;

/** Asks a primary with the gateway's own login, and tries the one that is to follow. Changes nothing. */
export async function readLogFacts(
  server: SqlExecutor,
  replicationUrl: string,
): Promise<LogFacts | undefined> {
  const refusal = await refusalToFollow(replicationUrl);
  const [row] = await server.query<Omit<LogFacts, 'refusal'> & SqlRow>(FACTS_SQL, [CACHE_PUBLICATION]);
  return row && { ...row, refusal };
}
