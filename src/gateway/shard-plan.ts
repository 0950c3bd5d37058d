import type { EntityMetadata } from 'typeorm';
import { shardedOptionsOf } from '../persistence/sharded.js';
import type { MigrationPlan, ProtectedTable } from '../sharding/migrations/migration-plan.js';
import { SYSTEM_MIGRATIONS } from '../sharding/migrations/system/system-migrations.js';
import { SYSTEM_TABLES } from '../sharding/migrations/system/system-tables.js';
import { isStrict, type ResolvedGatewayOptions } from './gateway-options.js';

/** What every shard must look like, whichever installation it belongs to. */
export type ShardPlan = Omit<MigrationPlan, 'installationId'>;

/** The system's own tables, then what the host adds; all of its entities under row-level security. */
export function shardPlanOf(
  { migrations, cache }: Pick<ResolvedGatewayOptions, 'migrations' | 'cache'>,
  entities: readonly EntityMetadata[],
): ShardPlan {
  return {
    migrations: [...SYSTEM_MIGRATIONS, ...migrations],
    protectedTables: [...SYSTEM_TABLES, ...entities.map(protectedTableOf)],
    isFollowed: isStrict(cache),
  };
}

function protectedTableOf({ schema, tableName, target }: EntityMetadata): ProtectedTable {
  const grants = typeof target === 'function' ? shardedOptionsOf(target)?.grants : undefined;
  return { schema: schema ?? 'public', table: tableName, ...(grants !== undefined && { grants }) };
}
