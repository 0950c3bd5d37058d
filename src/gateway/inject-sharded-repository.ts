import { Inject } from '@nestjs/common';
import type { ShardedEntity } from '../persistence/sharded-entity.js';
import type { ShardedEntityClass } from './sharded-entity-class.js';

/** The injection token of an entity's repository, for overriding it in tests. */
export function getShardedRepositoryToken(entity: ShardedEntityClass): string {
  return `ShardedRepository<${entity.name}>`;
}

/**
 * Injects the repository of an entity that `DataGatewayModule.forFeature` was given.
 *
 * @example
 * ```ts
 * constructor(@InjectShardedRepository(Invoice) private readonly invoices: ShardedRepository<Invoice>) {}
 * ```
 */
export function InjectShardedRepository<T extends ShardedEntity>(
  entity: ShardedEntityClass<T>,
): ParameterDecorator & PropertyDecorator {
  return Inject(getShardedRepositoryToken(entity));
}
