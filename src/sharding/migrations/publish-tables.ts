import { escapeIdentifier } from 'pg';
import type { SqlExecutor, SqlRow } from '../../common/sql-executor.js';
import { CACHE_PUBLICATION } from '../connections/cache-publication.js';
import { migrationFailure } from './migration-failure.js';
import type { MigrationPlan, ProtectedTable } from './migration-plan.js';
import { SYSTEM_TABLES } from './system/system-tables.js';
import { identityOf, nameOf, quotedNameOf } from './table-names.js';

const STATE_SQL = `
  select exists (select from pg_catalog.pg_publication where pubname = $1) as "isThere",
    has_database_privilege(current_database(), 'create') as "mayCreate",
    coalesce((
      select json_object_agg(p.schemaname || '.' || p.tablename, p.attnames) from pg_catalog.pg_publication_tables p
      where p.pubname = $1 and p.rowfilter is null), '{}') as tables
`;

/** Whole transactions have to be told: partitions as the table that they are of, and tables that are emptied. */
const WITH = `with (publish = 'insert, update, delete, truncate', publish_via_partition_root = true)`;

interface PublicationState extends SqlRow {
  readonly isThere: boolean;
  readonly mayCreate: boolean;
  /** Published columns, by table. */
  readonly tables: Readonly<Record<string, readonly string[]>>;
}

/**
 * Publishes the entities' rows for caches that follow the log: whose a row is and which one, nothing of what it
 * holds. Does nothing, and locks nothing, where all is right already. An administrator's login that may not
 * create anything in the database leaves it at that: `doctor` names it.
 *
 * @throws ConfigurationError when the server refuses it
 */
export async function publishTables(
  sql: SqlExecutor,
  shardId: string,
  { protectedTables, isFollowed }: Pick<MigrationPlan, 'protectedTables' | 'isFollowed'>,
): Promise<void> {
  const [state] = await sql.query<PublicationState>(STATE_SQL, [CACHE_PUBLICATION]);
  if (state === undefined || !(state.isThere || (isFollowed && state.mayCreate))) return;
  const tables = protectedTables.filter((table) => !SYSTEM_TABLES.includes(table));
  if (tables.length === 0 || (state.isThere && isPublished(tables, state))) return;
  const list = tables.map((table) => `${quotedNameOf(table)} (${quotedColumnsOf(table)})`).join(', ');
  const statement = state.isThere
    ? `alter publication ${CACHE_PUBLICATION} set table ${list}`
    : `create publication ${CACHE_PUBLICATION} for table ${list} ${WITH}`;
  try {
    await sql.query(statement);
  } catch (error) {
    throw migrationFailure(shardId, `The publication ${CACHE_PUBLICATION}`, error);
  }
}

function isPublished(wanted: readonly ProtectedTable[], { tables }: PublicationState): boolean {
  if (Object.keys(tables).length !== wanted.length) return false;
  return wanted.every((table) => {
    const published = tables[nameOf(table)] ?? [];
    const columns = columnsOf(table);
    return published.length === columns.length && columns.every((column) => published.includes(column));
  });
}

/** The replica identity has to be in it, or nobody could change a row any more. */
function columnsOf(table: ProtectedTable): string[] {
  return [...new Set(['tenant_id', 'id', ...identityOf(table)])];
}

function quotedColumnsOf(table: ProtectedTable): string {
  return columnsOf(table)
    .map((column) => escapeIdentifier(column))
    .join(', ');
}
