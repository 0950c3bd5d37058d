import fc from 'fast-check';
import {
  And,
  Between,
  Equal,
  ILike,
  In,
  IsNull,
  LessThan,
  LessThanOrEqual,
  Like,
  MoreThan,
  MoreThanOrEqual,
  Not,
  Or,
  type FindManyOptions,
} from 'typeorm';
import type { ShardedEntity } from '../../src/persistence/sharded-entity.js';
import { pathOf, type EntitySpec } from './random-entity.js';

/** What a condition says about a column, given some values that the column has in rows. */
const CONDITIONS = {
  plain: ([value]) => value,
  equal: ([value]) => Equal(value),
  notEqual: ([value]) => Not(value),
  notEqualNested: ([value]) => Not(Not(Equal(value))),
  lessThan: ([value]) => LessThan(value),
  lessThanOrEqual: ([value]) => LessThanOrEqual(value),
  moreThan: ([value]) => MoreThan(value),
  moreThanOrEqual: ([value]) => Not(MoreThanOrEqual(value)),
  between: ([from, to]) => Between(from, to),
  notBetween: ([from, to]) => Not(Between(from, to)),
  in: (values) => In([...values]),
  inNothing: () => In([]),
  notIn: (values) => Not(In([...values])),
  isNull: () => IsNull(),
  isNotNull: () => Not(IsNull()),
  like: ([value]) => Like(typeof value === 'string' ? `%${value.slice(0, 1)}%` : value),
  ilike: ([value]) => ILike(typeof value === 'string' ? value.toUpperCase() : value),
  and: ([from, to]) => And(MoreThanOrEqual(from), LessThan(to), Not(IsNull())),
  or: ([one, other]) => Not(Or(Equal(one), In([other]), IsNull())),
} satisfies Record<string, (values: readonly unknown[]) => unknown>;

type ConditionName = keyof typeof CONDITIONS;

interface ConditionSpec {
  readonly column: number;
  readonly condition: ConditionName;
  /** Which rows lend their values. */
  readonly rows: readonly number[];
}

/** Options of a find as a test makes them up; plain data, so that a counterexample can be read. */
export interface FindSpec {
  readonly alternatives: readonly (readonly ConditionSpec[])[];
  readonly order: readonly { readonly column: number; readonly direction: unknown }[];
  readonly take?: number | undefined;
  readonly skip?: number | undefined;
  readonly withDeleted?: boolean | undefined;
}

export const findSpecs: fc.Arbitrary<FindSpec> = fc.record({
  alternatives: fc.array(
    fc.array(
      fc.record({
        column: fc.nat(20),
        condition: fc.constantFrom(...(Object.keys(CONDITIONS) as ConditionName[])),
        rows: fc.array(fc.nat(20), { minLength: 2, maxLength: 4 }),
      }),
      { minLength: 1, maxLength: 2 },
    ),
    { maxLength: 2 },
  ),
  order: fc.array(
    fc.record({
      column: fc.nat(20),
      direction: fc.constantFrom<unknown>(
        ...['ASC', 'DESC', 'asc', 'desc', 1, -1],
        ...[{ direction: 'DESC', nulls: 'last' }, { nulls: 'first' }, { direction: 'asc', nulls: 'FIRST' }],
      ),
    }),
    { maxLength: 2 },
  ),
  take: fc.option(fc.nat(6), { nil: undefined }),
  skip: fc.option(fc.nat(3), { nil: undefined, freq: 3 }),
  withDeleted: fc.option(fc.boolean(), { nil: undefined }),
});

/**
 * Options of TypeORM's find, new objects every time: TypeORM writes into operators. Tenant, and where rows are
 * cut off a total order, are added as repositories and careful callers do.
 *
 * @param rows entities that lend their values to conditions
 */
export function findOptions(
  spec: EntitySpec,
  find: FindSpec,
  rows: readonly object[],
  tenantId: string,
): FindManyOptions<ShardedEntity> {
  const alternatives = find.alternatives.map((conditions) => {
    const alternative: Record<string, unknown> = { tenantId };
    for (const { column, condition, rows: lenders } of conditions) {
      const path = pathOf(spec, column % spec.columns.length);
      const lent = lenders.map((row) => valueAt(rows[row % rows.length], path));
      const [first, ...others] = lent.filter((value) => value !== null && value !== undefined);
      // TypeORM refuses null as a value.
      if (first === undefined) continue;
      put(alternative, path, CONDITIONS[condition]([first, ...(others.length > 0 ? others : [first])]));
    }
    return alternative;
  });
  // One that names the tenant only would have every row, and hide what the others say.
  const telling = alternatives.filter((alternative) => Object.keys(alternative).length > 1);
  const where = telling.length > 0 ? telling : [{ tenantId }];
  const order: Record<string, unknown> = {};
  for (const { column, direction } of find.order) {
    put(order, pathOf(spec, column % spec.columns.length), direction);
  }
  const isCut = find.take !== undefined || find.skip !== undefined;
  if (isCut || find.order.length > 0) put(order, ['id'], 'ASC');
  return {
    where: where.length === 1 ? where[0]! : where,
    ...(Object.keys(order).length > 0 && { order }),
    ...(find.take !== undefined && { take: find.take }),
    ...(find.skip !== undefined && { skip: find.skip }),
    ...(find.withDeleted !== undefined && { withDeleted: find.withDeleted }),
  };
}

function valueAt(row: unknown, path: readonly string[]): unknown {
  let value = row;
  for (const name of path) value = (value as Record<string, unknown> | null | undefined)?.[name];
  return value;
}

function put(target: Record<string, unknown>, path: readonly string[], value: unknown): void {
  const [name, ...further] = path;
  if (further.length === 0) target[name!] = value;
  else put((target[name!] ??= {}) as Record<string, unknown>, further, value);
}
