import pg from 'pg';
import { ConfigurationError, ShardUnavailableError } from '../../common/gateway-error.js';
import type { SqlExecutor, SqlRow } from '../../common/sql-executor.js';
import { nameMigrations, readAppliedMigrations } from './apply-migrations.js';
import { readInstallation, type Installation } from './installation.js';
import type { MigrationPlan } from './migration-plan.js';
import { findUnprotected } from './protect-tables.js';
import { readSchemaLines } from './schema-fingerprint.js';

const CONNECT_TIMEOUT_MS = 10_000;
const STATEMENT_TIMEOUT_MS = 30_000;
const INSUFFICIENT_PRIVILEGE = '42501';

/** Names come out qualified only when the search path is empty; nothing here may write. */
const BEGIN_SQL = `begin transaction isolation level repeatable read read only; set local search_path = ''`;

/** What one shard has, against what it should have. */
export interface ShardInspection {
  /** Undefined on a database that was never migrated. */
  readonly installation: Installation | undefined;
  readonly applied: readonly string[];
  /** Migrations of the plan that are still to be applied. */
  readonly pending: readonly string[];
  /** Applied migrations that the plan does not know: a later release was here. */
  readonly unknown: readonly string[];
  /** Protected tables whose protection is not in force, each with the reason. */
  readonly unprotected: readonly string[];
  /** The schema, for `findDrift`. */
  readonly lines: readonly string[];
}

/** Where to look; `url` may be the gateway's own login, or one of an administrator, or a replica's. */
export interface InspectionTarget {
  readonly shardId: string;
  readonly url: string;
  readonly gatewayRole: string;
}

/**
 * Reads a shard's migrations and schema without changing anything.
 *
 * @throws ShardUnavailableError when it cannot be reached
 * @throws ConfigurationError when the login may not read the gateway's own tables
 */
export async function inspectShard(
  target: InspectionTarget,
  plan: Pick<MigrationPlan, 'migrations' | 'protectedTables'>,
): Promise<ShardInspection> {
  const client = new pg.Client({
    connectionString: target.url,
    application_name: `shardgate-inspect-${target.shardId}`,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    query_timeout: STATEMENT_TIMEOUT_MS,
  });
  // A connection that breaks rejects the statement under way; without a listener it would end the process.
  client.on('error', () => undefined);
  try {
    await client.connect();
    await client.query(BEGIN_SQL);
    return await inspect(executorOf(client), target.gatewayRole, plan);
  } catch (error) {
    if (error instanceof pg.DatabaseError && error.code === INSUFFICIENT_PRIVILEGE) {
      throw new ConfigurationError(
        `The login ${target.gatewayRole} may not read schema shardgate on ${target.shardId}; run shardgate migrate, which grants it.`,
        error,
      );
    }
    if (error instanceof ConfigurationError) throw error;
    throw new ShardUnavailableError(
      target.shardId,
      'its schema could not be read; check that it runs.',
      error,
    );
  } finally {
    await client.end().catch(() => undefined);
  }
}

async function inspect(
  sql: SqlExecutor,
  gatewayRole: string,
  plan: Pick<MigrationPlan, 'migrations' | 'protectedTables'>,
): Promise<ShardInspection> {
  const planned = nameMigrations(plan.migrations).map(({ name }) => name);
  const installation = await readInstallation(sql);
  const applied = installation === undefined ? [] : await readAppliedMigrations(sql);
  const schemas = ['shardgate', ...plan.protectedTables.map(({ schema }) => schema)];
  return {
    installation,
    applied,
    pending: planned.filter((name) => !applied.includes(name)),
    unknown: applied.filter((name) => !planned.includes(name)),
    unprotected: await findUnprotected(sql, gatewayRole, plan.protectedTables),
    lines: await readSchemaLines(sql, schemas, gatewayRole),
  };
}

function executorOf(client: pg.Client): SqlExecutor {
  return {
    async query<Row extends SqlRow>(sql: string, params: readonly unknown[] = []) {
      const { rows } = await client.query<Row>(sql, [...params]);
      return rows;
    },
  };
}
