import type { FindManyOptions, FindOneOptions } from 'typeorm';
import { ValidationError } from '../common/gateway-error.js';
import type { ShardedEntity } from '../persistence/sharded-entity.js';
import { isGatewayId } from '../sharding/topology/gateway-id.js';
import type { RowOwner } from './row-owner.js';
import type { ReadOptions } from './shard-reads.js';
import { withTenant } from './tenant-predicate.js';

/** TypeORM's options of `find`, with the gateway's own for reads; its result cache is not TypeORM's. */
export type RepositoryFind<T> = Omit<FindManyOptions<T>, 'cache'> & ReadOptions;

/** The same of `findOne`. */
export type RepositoryFindOne<T> = Omit<FindOneOptions<T>, 'cache'> & ReadOptions;

/** TypeORM's options alone, with the tenant in every alternative of the conditions. */
export function scoped<T extends ShardedEntity>(
  { from, cache, ...options }: RepositoryFind<T>,
  owner: RowOwner,
): FindManyOptions<T> {
  assertReadOptions({ from, cache });
  // TypeORM takes the end out of a comment once only: what is left of it may be another one.
  if (options.comment?.includes('*/') === true) {
    throw new ValidationError([{ path: 'comment', message: 'must not hold the end of a comment' }]);
  }
  return { ...options, where: withTenant(options.where, owner) };
}

/** @throws ValidationError for options of another cache, such as TypeORM's own, which knows nothing of tenants */
export function assertReadOptions({ cache }: { readonly from?: unknown; readonly cache?: unknown }): void {
  if (cache === undefined || typeof cache === 'boolean') return;
  const { ttlMs, ...others } = typeof cache === 'object' ? (cache as { readonly ttlMs?: unknown }) : {};
  if (typeof ttlMs === 'number' && ttlMs >= 0 && Object.keys(others).length === 0) return;
  throw new ValidationError([{ path: 'cache', message: 'must be true, false or { ttlMs } in milliseconds' }]);
}

/** Whether a find asks for nothing but rows that match: no order, relations, columns of its own. */
export function saysOnlyWhere(options: object): boolean {
  for (const key in options) if (key !== 'where' && key !== 'from' && key !== 'cache') return false;
  return true;
}

/** The id that a find asks for when it asks for one row by its id and nothing else; in lower case. */
export function onlyIdOf<T extends ShardedEntity>(where: FindOneOptions<T>['where']): string | undefined {
  if (where === undefined || Array.isArray(where)) return undefined;
  const { id, ...others }: { readonly id?: unknown } = where;
  const isPlain = typeof id === 'string' && isGatewayId(id) && Object.keys(others).length === 0;
  return isPlain ? id.toLowerCase() : undefined;
}
