import type { MigrationInterface, QueryRunner } from 'typeorm';
import { ConfigurationError } from '../../common/gateway-error.js';
import type { SqlExecutor } from '../../common/sql-executor.js';
import { migrationFailure } from './migration-failure.js';
import type { MigrationClass } from './migration-plan.js';

/** A migration with the name under which it is recorded. */
export interface NamedMigration {
  readonly name: string;
  readonly timestamp: number;
  readonly migration: MigrationInterface;
}

/** Who hears of each migration; `index` counts from 1. */
export interface ApplyObserver {
  readonly onApplying: (name: string, index: number, total: number) => void;
  readonly onApplied: (name: string, index: number, total: number) => void;
  /** Asked before each migration; throws to end the run there. */
  readonly beforeEach: () => void;
}

const APPLIED_SQL = `select name from shardgate.migrations order by id`;
const RECORD_SQL = `insert into shardgate.migrations ("timestamp", name) values ($1, $2)`;
/** A migration that set a search path or a role must not decide where its record and the next one go. */
const RESET_SESSION_SQL = `reset role; reset all`;

/**
 * The migrations with their names, in the given order.
 *
 * @throws ConfigurationError when a name has no timestamp at its end, or appears twice
 */
export function nameMigrations(classes: readonly MigrationClass[]): NamedMigration[] {
  const seen = new Set<string>();
  return classes.map((Migration) => {
    const migration = new Migration();
    const name = migration.name ?? Migration.name;
    const timestamp = Number.parseInt(name.slice(-13), 10);
    if (!Number.isSafeInteger(timestamp) || timestamp <= 0) {
      throw new ConfigurationError(
        `The migration ${name} needs a JavaScript timestamp at the end of its name, as in AddInvoices1735689600000.`,
      );
    }
    if (seen.has(name)) {
      throw new ConfigurationError(`The migration ${name} is listed twice; list each once.`);
    }
    seen.add(name);
    return { name, timestamp, migration };
  });
}

/** The names of the migrations that were applied to this database, in their order. */
export async function readAppliedMigrations(sql: SqlExecutor): Promise<string[]> {
  return (await sql.query<{ name: string }>(APPLIED_SQL)).map(({ name }) => name);
}

/**
 * Applies what is pending, each migration together with its record in one transaction, so that whatever
 * ends the process leaves a whole prefix. A migration that sets `transaction = false` runs without one and
 * must bear being run again.
 *
 * @throws ConfigurationError naming the migration that failed; those before it stay applied
 * @throws ShardUnavailableError when the connection broke
 */
export async function applyMigrations(
  queryRunner: QueryRunner,
  sql: SqlExecutor,
  shardId: string,
  migrations: readonly NamedMigration[],
  observer: ApplyObserver,
): Promise<void> {
  const applied = new Set(await readAppliedMigrations(sql));
  const pending = migrations.filter(({ name }) => !applied.has(name));
  for (const [position, next] of pending.entries()) {
    observer.beforeEach();
    observer.onApplying(next.name, position + 1, pending.length);
    await applyOne(queryRunner, sql, shardId, next);
    observer.onApplied(next.name, position + 1, pending.length);
  }
}

async function applyOne(
  queryRunner: QueryRunner,
  sql: SqlExecutor,
  shardId: string,
  next: NamedMigration,
): Promise<void> {
  const inTransaction = next.migration.transaction !== false;
  try {
    if (inTransaction) await queryRunner.startTransaction();
    await next.migration.up(queryRunner);
    await sql.query(RESET_SESSION_SQL);
    await sql.query(RECORD_SQL, [next.timestamp, next.name]);
    if (inTransaction) await queryRunner.commitTransaction();
  } catch (error) {
    // On a connection that is gone there is nothing to roll back; the first error is the one that counts.
    if (queryRunner.isTransactionActive) await queryRunner.rollbackTransaction().catch(() => undefined);
    throw migrationFailure(shardId, `The migration ${next.name}`, error);
  }
}
