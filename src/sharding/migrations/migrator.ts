import pLimit from 'p-limit';
import { GatewayError } from '../../common/gateway-error.js';
import { applyMigrations, nameMigrations, type NamedMigration } from './apply-migrations.js';
import { grantTransactions } from './grant-transactions.js';
import { assertInstallation, claimInstallation } from './installation.js';
import type {
  MigrationOptions,
  MigrationPlan,
  MigrationTarget,
  ShardMigrationReport,
} from './migration-plan.js';
import { withMigrationSession } from './migration-session.js';
import { prepareTenantLogins } from './prepare-tenant-logins.js';
import { grantInspection, protectTables } from './protect-tables.js';
import { publishTables } from './publish-tables.js';

const DEFAULT_CONCURRENCY = 4;

/**
 * Brings every shard to the plan: what is pending is applied under the shard's lock, then its tables are
 * protected. Running it again goes on where the last run ended; two at once work one after the other. One
 * shard's failure does not stop the others: it is in that shard's report.
 *
 * @returns one report per target, in the order of the targets
 * @throws ConfigurationError when the plan itself cannot be run
 */
export async function migrateShards(
  targets: readonly MigrationTarget[],
  plan: MigrationPlan,
  options: MigrationOptions = {},
): Promise<ShardMigrationReport[]> {
  const migrations = nameMigrations(plan.migrations);
  const limit = pLimit(options.concurrency ?? DEFAULT_CONCURRENCY);
  return Promise.all(targets.map((target) => limit(() => migrateShard(target, plan, migrations, options))));
}

async function migrateShard(
  target: MigrationTarget,
  plan: MigrationPlan,
  migrations: readonly NamedMigration[],
  options: MigrationOptions,
): Promise<ShardMigrationReport> {
  const { shardId } = target;
  const applied: string[] = [];
  try {
    await withMigrationSession(target, options, async (session) => {
      const { emit, queryRunner, sql } = session;
      const identity = { installationId: plan.installationId, shardId };
      assertInstallation(await claimInstallation(sql, identity), identity);
      await grantInspection(sql, target);
      await applyMigrations(queryRunner, sql, shardId, migrations, {
        beforeEach: session.throwIfAborted,
        onApplying: (name, index, total) => {
          emit({ type: 'applying', shardId, name, index, total });
        },
        onApplied: (name, index, total) => {
          applied.push(name);
          emit({ type: 'applied', shardId, name, index, total });
        },
      });
      await prepareTenantLogins(sql, target);
      await grantTransactions(sql, target);
      await protectTables(queryRunner, sql, target, plan.protectedTables);
      await publishTables(sql, shardId, plan);
      if (applied.length === 0) emit({ type: 'up-to-date', shardId });
    });
    return { shardId, applied };
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error;
    options.onEvent?.({ type: 'failed', shardId, error });
    return { shardId, applied, error };
  }
}
