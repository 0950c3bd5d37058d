import type { FindOptionsWhere, ObjectLiteral, SelectQueryBuilder } from 'typeorm';
import { ScopeConflictError, ValidationError } from '../common/gateway-error.js';
import type { ShardedEntity } from '../persistence/sharded-entity.js';

/** Which rows a statement may touch at all. */
export interface TenantPredicate {
  readonly tenantId: string;
  /** One user's rows only, where the call is about one user. */
  readonly userId?: string | undefined;
}

/** What TypeORM takes as the rows to change: an id, several ids, or conditions. */
export type RowCriteria<T> =
  string | readonly string[] | FindOptionsWhere<T> | readonly FindOptionsWhere<T>[];

/**
 * Conditions with the tenant, and the user where there is one, added to every alternative.
 *
 * @throws ScopeConflictError when a condition names another tenant or user
 */
export function withTenant<T extends ShardedEntity>(
  where: FindOptionsWhere<T> | readonly FindOptionsWhere<T>[] | undefined,
  predicate: TenantPredicate,
): FindOptionsWhere<T>[] {
  const alternatives = Array.isArray(where) ? (where as FindOptionsWhere<T>[]) : [where ?? {}];
  // TypeORM reads an empty list of alternatives as "no condition"; here it would mean "nothing", so refuse.
  if (alternatives.length === 0) {
    throw new ValidationError([{ path: 'where', message: 'must not be an empty list of alternatives' }]);
  }
  return alternatives.map((alternative) => {
    const given = alternative as Partial<Record<keyof ShardedEntity, unknown>>;
    assertInScope('tenantId', given.tenantId, predicate.tenantId);
    assertInScope('userId', given.userId, predicate.userId);
    return {
      ...alternative,
      tenantId: predicate.tenantId,
      ...(predicate.userId !== undefined && { userId: predicate.userId }),
    } as FindOptionsWhere<T>;
  });
}

/**
 * The rows to change, as conditions with the tenant added.
 *
 * @throws ValidationError when the criteria name nothing, which TypeORM would take for everything
 */
export function criteriaWithTenant<T extends ShardedEntity>(
  criteria: RowCriteria<T>,
  predicate: TenantPredicate,
): FindOptionsWhere<T>[] {
  const items: readonly unknown[] = Array.isArray(criteria) ? criteria : [criteria];
  const conditions = items.map((item) => (typeof item === 'string' ? { id: item } : item));
  const empty = conditions.some(
    (condition) =>
      condition === null ||
      typeof condition !== 'object' ||
      Object.values(condition).every((value) => value === undefined),
  );
  if (conditions.length === 0 || empty) {
    throw new ValidationError([{ path: 'criteria', message: 'must name the rows to change' }]);
  }
  return withTenant(conditions as FindOptionsWhere<T>[], predicate);
}

/**
 * Adds the tenant to a query builder in a way that a later `.where(...)` of its user does not undo. TypeORM
 * appends this condition to whatever else the statement says, in SELECT under its alias, in UPDATE and
 * DELETE under the table's name.
 */
export function restrictBuilder<T extends ObjectLiteral>(
  builder: SelectQueryBuilder<T>,
  predicate: TenantPredicate,
): SelectQueryBuilder<T> {
  const { expressionMap, alias } = builder;
  const tablePath = expressionMap.mainAlias?.metadata.tablePath ?? alias;
  const table = tablePath
    .split('.')
    .map((part) => builder.escape(part))
    .join('.');
  builder.setParameter('shardgateTenantId', predicate.tenantId);
  if (predicate.userId !== undefined) builder.setParameter('shardgateUserId', predicate.userId);
  let further = '';
  Object.defineProperty(expressionMap, 'extraAppendedAndWhereCondition', {
    enumerable: true,
    get() {
      const rows = expressionMap.queryType === 'select' ? builder.escape(alias) : table;
      return [
        `${rows}."tenant_id" = :shardgateTenantId`,
        ...(predicate.userId === undefined ? [] : [`${rows}."user_id" = :shardgateUserId`]),
        ...(further === '' ? [] : [further]),
      ].join(' AND ');
    },
    set(condition: string) {
      further = condition;
    },
  });
  return builder;
}

function assertInScope(column: 'tenantId' | 'userId', given: unknown, expected: string | undefined): void {
  if (given === undefined || expected === undefined || given === expected) return;
  throw new ScopeConflictError(
    `The condition on ${column} is not that of the scope; leave it out, or choose the route with forUser.`,
  );
}
