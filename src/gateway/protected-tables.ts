import type { EntityMetadata } from 'typeorm';
import { shardedOptionsOf } from '../persistence/sharded.js';
import type { ProtectedTable } from '../sharding/migrations/migration-plan.js';

/** The tables of the entities, which the migrations put under row-level security. */
export function protectedTablesOf(metadatas: readonly EntityMetadata[]): ProtectedTable[] {
  return metadatas.map(({ schema, tableName, target }) => {
    const grants = typeof target === 'function' ? shardedOptionsOf(target)?.grants : undefined;
    return { schema: schema ?? 'public', table: tableName, ...(grants !== undefined && { grants }) };
  });
}
