import { ConfigurationError } from '../../common/gateway-error.js';
import type { SqlExecutor } from '../../common/sql-executor.js';

/** Which installation a database belongs to, and as which shard (`catalog` for the catalog). */
export interface Installation {
  readonly installationId: string;
  readonly shardId: string;
}

/**
 * Everything that must be there before the first migration. Not a migration itself: the identity must be
 * known before anything else touches the database. The migrations table is as TypeORM would make it.
 */
const BOOTSTRAP_SQL = `
  create schema if not exists shardgate;
  create table if not exists shardgate.installation (
    singleton boolean primary key default true check (singleton),
    installation_id uuid not null,
    shard_id text not null
  );
  create table if not exists shardgate.migrations (
    id serial primary key,
    "timestamp" bigint not null,
    name varchar not null unique
  );
`;

/** Both tables, or none: the bootstrap is one implicit transaction. */
const IS_BOOTSTRAPPED_SQL = `
  select exists (
    select 1 from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where n.nspname = 'shardgate' and c.relname = 'migrations'
  ) as bootstrapped
`;

const CLAIM_SQL = `
  insert into shardgate.installation (installation_id, shard_id) values ($1, $2) on conflict do nothing
`;

const READ_SQL = `
  select installation_id as "installationId", shard_id as "shardId" from shardgate.installation
`;

/** Whose database this is; undefined when nothing of the gateway's is in it yet. */
export async function readInstallation(sql: SqlExecutor): Promise<Installation | undefined> {
  const [row] = await sql.query<{ bootstrapped: boolean }>(IS_BOOTSTRAPPED_SQL);
  if (row?.bootstrapped !== true) return undefined;
  const [installation] = await sql.query<{ installationId: string; shardId: string }>(READ_SQL);
  return installation;
}

/**
 * Gives a fresh database its identity, or finds the one it has.
 *
 * @returns the identity that the database has now, which may be another than the one wanted
 */
export async function claimInstallation(sql: SqlExecutor, wanted: Installation): Promise<Installation> {
  const known = await readInstallation(sql);
  if (known !== undefined) return known;
  await sql.query(BOOTSTRAP_SQL);
  await sql.query(CLAIM_SQL, [wanted.installationId, wanted.shardId]);
  return (await readInstallation(sql)) ?? wanted;
}

/**
 * Refuses a database that is another shard, or of another installation: its rows would be served under the
 * wrong buckets.
 *
 * @throws ConfigurationError
 */
export function assertInstallation(actual: Installation, wanted: Installation): void {
  if (actual.shardId !== wanted.shardId) {
    throw new ConfigurationError(
      `The database configured as ${wanted.shardId} is ${actual.shardId} of installation ${actual.installationId}; ` +
        `correct its url, or configure it under the id ${actual.shardId}.`,
    );
  }
  if (actual.installationId !== wanted.installationId) {
    throw new ConfigurationError(
      `The database of ${wanted.shardId} belongs to installation ${actual.installationId}, this is ` +
        `${wanted.installationId}; point it at its own catalog, or use an empty database.`,
    );
  }
}
