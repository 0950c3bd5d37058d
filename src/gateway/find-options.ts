import type { FindOneOptions } from 'typeorm';
import { ValidationError } from '../common/gateway-error.js';
import type { ShardedEntity } from '../persistence/sharded-entity.js';
import { isGatewayId } from '../sharding/topology/gateway-id.js';
import type { RowOwner } from './row-owner.js';
import type { ReadOptions } from './shard-access.js';
import { withTenant } from './tenant-predicate.js';

/** TypeORM's options alone, with the tenant in every alternative of the conditions. */
export function scoped<T extends ShardedEntity, O extends FindOneOptions<T>>(
  options: O & ReadOptions,
  owner: RowOwner,
): O {
  // TypeORM's own result cache knows nothing of tenants or writes.
  if (options.cache !== undefined && typeof options.cache !== 'boolean') {
    throw new ValidationError([{ path: 'cache', message: "TypeORM's cache option is not supported" }]);
  }
  // TypeORM takes the end out of a comment once only: what is left of it may be another one.
  if (options.comment?.includes('*/') === true) {
    throw new ValidationError([{ path: 'comment', message: 'must not hold the end of a comment' }]);
  }
  const find: O & ReadOptions = { ...options, where: withTenant(options.where, owner) };
  delete find.cache;
  delete (find as { from?: unknown }).from;
  return find;
}

/** Whether a find asks for nothing but rows that match: no order, relations, columns of its own. */
export function saysOnlyWhere(options: object): boolean {
  return Object.keys(options).every((key) => key === 'where' || key === 'from' || key === 'cache');
}

/** The id that a find asks for when it asks for one row by its id and nothing else; in lower case. */
export function onlyIdOf<T extends ShardedEntity>(where: FindOneOptions<T>['where']): string | undefined {
  if (where === undefined || Array.isArray(where)) return undefined;
  const { id, ...others }: { readonly id?: unknown } = where;
  const isPlain = typeof id === 'string' && isGatewayId(id) && Object.keys(others).length === 0;
  return isPlain ? id.toLowerCase() : undefined;
}
