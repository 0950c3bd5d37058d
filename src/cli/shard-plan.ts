import { SILENT_LOG } from '../common/log.js';
import type { ResolvedGatewayOptions } from '../gateway/gateway-options.js';
import { protectedTablesOf } from '../gateway/protected-tables.js';
import { NodeDirectory } from '../sharding/connections/node-directory.js';
import type { MigrationPlan } from '../sharding/migrations/migration-plan.js';
import { CreateShardTables1763800000000 } from '../sharding/migrations/system/create-shard-tables.js';
import { SYSTEM_TABLES } from '../sharding/migrations/system/system-tables.js';

/** What every shard of this service must look like; asks no server. */
export async function shardPlan(
  options: ResolvedGatewayOptions,
): Promise<Omit<MigrationPlan, 'installationId'>> {
  const nodes = await NodeDirectory.create(
    options.shards.slice(0, 1),
    options.pool,
    options.entities,
    SILENT_LOG,
  );
  const metadatas = nodes.all()[0]?.dataSource.entityMetadatas ?? [];
  await nodes.close();
  return {
    migrations: [CreateShardTables1763800000000, ...options.migrations],
    protectedTables: [...SYSTEM_TABLES, ...protectedTablesOf(metadatas)],
  };
}
