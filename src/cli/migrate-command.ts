import { Command } from 'commander';
import { ConfigurationError } from '../common/gateway-error.js';
import type { ResolvedGatewayOptions } from '../gateway/gateway-options.js';
import { gatewayRoleOf } from '../gateway/gateway-role.js';
import { migrateCatalog } from '../sharding/migrations/catalog/migrate-catalog.js';
import type { MigrationTarget } from '../sharding/migrations/migration-plan.js';
import { migrateShards } from '../sharding/migrations/migrator.js';
import { locateServers } from './config-file.js';
import { readEnvironment } from './environment.js';
import { MigrationProgress } from './migration-progress.js';
import { offlineShardPlan } from './offline-shard-plan.js';

const EXAMPLES = `
Examples:
  $ SHARDGATE_CONFIG=servers.yaml shardgate migrate   catalog and shards; each needs an adminUrl
  $ shardgate migrate                                 the embedded cluster that runs on the data directory

It may be repeated and may be interrupted; what is done stays done. Shards that fail do not stop the others.
`;

/** `shardgate migrate`: brings the catalog and every shard to this release's schema. */
export function migrateCommand(): Command {
  return new Command('migrate')
    .description("bring the catalog and every shard to this release's schema")
    .addHelpText('after', EXAMPLES)
    .action(async () => {
      const options = await locateServers(readEnvironment());
      const failed = await migrateAll(options);
      if (failed.length > 0) {
        console.error(
          `error: ${failed.join(', ')} could not be migrated; correct the cause and run it again.`,
        );
        process.exitCode = 1;
      }
    });
}

/** @returns the shards that failed */
async function migrateAll(options: ResolvedGatewayOptions): Promise<string[]> {
  const catalog = {
    adminUrl: adminUrlOf('catalog', options.catalog.adminUrl),
    gatewayRole: gatewayRoleOf(options.catalog.url),
  };
  const targets = options.shards.map(({ id, primary }): MigrationTarget => ({
    shardId: id,
    adminUrl: adminUrlOf(`shards: ${id}.primary`, primary.adminUrl),
    gatewayRole: gatewayRoleOf(primary.url),
  }));
  const progress = new MigrationProgress(['catalog', ...targets.map(({ shardId }) => shardId)]);
  try {
    const { installationId } = await migrateCatalog(catalog, { onEvent: progress.show });
    const plan = { installationId, ...(await offlineShardPlan(options)) };
    const reports = await migrateShards(targets, plan, { onEvent: progress.show });
    return reports.filter(({ error }) => error !== undefined).map(({ shardId }) => shardId);
  } finally {
    progress.end();
  }
}

function adminUrlOf(what: string, adminUrl: string | undefined): string {
  if (adminUrl !== undefined) return adminUrl;
  throw new ConfigurationError(`${what} has no adminUrl; add the url of a login that owns the schema.`);
}
