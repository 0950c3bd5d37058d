import { DataSource, type QueryRunner } from 'typeorm';
import { GatewayError, ShardUnavailableError } from '../../common/gateway-error.js';
import type { SqlExecutor, SqlRow } from '../../common/sql-executor.js';
import { migrationFailure } from './migration-failure.js';
import { takeMigrationLock } from './migration-lock.js';
import type { MigrationEvent, MigrationOptions, MigrationTarget } from './migration-plan.js';

const CONNECT_TIMEOUT_MS = 10_000;
const DEFAULT_LOCK_TIMEOUT_MS = 600_000;

/** One connection that holds the migration lock and does all the work, so that lock and work end together. */
export interface MigrationSession {
  readonly queryRunner: QueryRunner;
  readonly sql: SqlExecutor;
  /** Throws when the run is to end. */
  readonly throwIfAborted: () => void;
  readonly emit: (event: MigrationEvent) => void;
}

/**
 * Runs `work` on the target's database under its migration lock.
 *
 * @throws ShardUnavailableError when the server cannot be reached, the connection breaks, or the lock is kept by another process
 * @throws ConfigurationError when the server refuses a statement, or `work` says so
 */
export async function withMigrationSession<T>(
  target: MigrationTarget,
  options: MigrationOptions,
  work: (session: MigrationSession) => Promise<T>,
): Promise<T> {
  const emit = options.onEvent ?? (() => undefined);
  const dataSource = createDataSource(target);
  try {
    await dataSource.initialize();
    const queryRunner = dataSource.createQueryRunner();
    try {
      const sql = executorOf(queryRunner);
      await takeMigrationLock(sql, {
        shardId: target.shardId,
        timeoutMs: options.lockTimeoutMs ?? DEFAULT_LOCK_TIMEOUT_MS,
        signal: options.signal,
        onWait: () => {
          emit({ type: 'waiting-for-lock', shardId: target.shardId });
        },
      });
      return await work({ queryRunner, sql, emit, throwIfAborted: () => options.signal?.throwIfAborted() });
    } finally {
      await queryRunner.release();
    }
  } catch (error) {
    throw failureOf(target.shardId, error, options.signal?.aborted === true);
  } finally {
    if (dataSource.isInitialized) await dataSource.destroy();
  }
}

function createDataSource(target: MigrationTarget): DataSource {
  return new DataSource({
    type: 'postgres',
    url: target.adminUrl,
    applicationName: `shardgate-migrate-${target.shardId}`,
    connectTimeoutMS: CONNECT_TIMEOUT_MS,
    // A host that vanished is noticed by what the kernel asks it meanwhile; a statement may well take hours.
    extra: { keepAlive: true, keepAliveInitialDelayMillis: 10_000 },
    installExtensions: false,
    // Makes generated uuid columns use gen_random_uuid(), which is built in.
    uuidExtension: 'pgcrypto',
    logging: false,
  });
}

/** TypeORM gives rows for statements that return some; nothing here updates or deletes, where it gives more. */
function executorOf(queryRunner: QueryRunner): SqlExecutor {
  return {
    query: async <Row extends SqlRow>(sql: string, params: readonly unknown[] = []): Promise<Row[]> =>
      (await queryRunner.query(sql, [...params])) as Row[],
  };
}

function failureOf(shardId: string, error: unknown, stopped: boolean): GatewayError {
  return stopped && !(error instanceof GatewayError)
    ? new ShardUnavailableError(shardId, 'its migration was stopped; run migrate again to go on.', error)
    : migrationFailure(shardId, 'The migration', error);
}
