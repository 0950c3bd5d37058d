import fc from 'fast-check';
import { Brackets, type EntityMetadata, type Repository } from 'typeorm';
import type { ColumnMetadata } from 'typeorm/metadata/ColumnMetadata.js';
import { cursorValueOf, orderKeyTypeOf } from '../../src/gateway/column-order.js';
import type { CompiledPage } from '../../src/persistence/compiled/compiled-entity.js';
import type { ShardedEntity } from '../../src/persistence/sharded-entity.js';

/** A page of a list over shards, as a test makes it up. */
export interface PageSpec {
  readonly order: readonly { readonly column: number; readonly direction: 'ASC' | 'DESC' }[];
  readonly idDirection: 'ASC' | 'DESC';
  /** The row behind which the page begins. */
  readonly after?: number | undefined;
  readonly limit?: number | undefined;
}

/** Columns in which the rows of a random table do not differ. */
const CONSTANT: ReadonlySet<string> = new Set(['tenantId', 'userId', 'bucket']);

const direction = fc.constantFrom('ASC' as const, 'DESC' as const);

export const pageSpecs: fc.Arbitrary<PageSpec> = fc.record({
  order: fc.array(fc.record({ column: fc.nat(20), direction }), { maxLength: 2 }),
  idDirection: direction,
  after: fc.option(fc.nat(20), { nil: undefined, freq: 4 }),
  limit: fc.option(fc.nat(6), { nil: undefined }),
});

/** The page, as `AllShardsRepository` makes it of its options and a cursor. */
export function pageOf(
  metadata: EntityMetadata,
  spec: PageSpec,
  rows: readonly ShardedEntity[],
  tenantId: string,
): CompiledPage<ShardedEntity> {
  const row = spec.after === undefined ? undefined : rows[spec.after % rows.length];
  const columns = metadata.columns.filter(
    (column) =>
      !CONSTANT.has(column.propertyName) &&
      isSortable(column) &&
      (row === undefined || isCursorValue(column, row)),
  );
  const chosen = new Map(
    spec.order.map((each) => [columns[each.column % columns.length]!, each.direction] as const),
  );
  const id = metadata.findColumnWithPropertyName('id')!;
  if (!chosen.has(id)) chosen.set(id, spec.idDirection);
  return {
    where: [{ tenantId }],
    ordering: [...chosen].map(([column, each]) => ({
      column,
      direction: each,
      collateC: orderKeyTypeOf(column) === 'text' && column.type !== 'date',
    })),
    after: row && [...chosen.keys()].map((column) => cursorValueOf(column, column.getEntityValue(row, true))),
    limit: spec.limit,
  };
}

/** The same page by TypeORM's query builder. */
export function typeormPage(
  repository: Repository<ShardedEntity>,
  { where, ordering, after, limit }: CompiledPage<ShardedEntity>,
): Promise<ShardedEntity[]> {
  const builder = repository.createQueryBuilder('row').setFindOptions({ where: where as object[] });
  const sides = ordering.map(({ column, collateC, direction: each }, index) => ({
    left: `row.${column.propertyPath}${collateC ? ' COLLATE "C"' : ''}`,
    right: `:after${index}`,
    direction: each,
  }));
  for (const { left, direction: each } of sides) builder.addOrderBy(left, each);
  if (after !== undefined) {
    const values = Object.fromEntries(after.map((value, index) => [`after${index}`, value]));
    builder.andWhere(
      new Brackets((behind) => {
        for (const [index, { left, right, direction: each }] of sides.entries()) {
          const equal = sides.slice(0, index).map((side) => `${side.left} = ${side.right}`);
          const beyond = `${left} ${each === 'ASC' ? '>' : '<'} ${right}`;
          behind.orWhere([...equal, beyond].join(' AND '), values);
        }
      }),
    );
  }
  if (limit !== undefined) builder.limit(limit);
  return builder.getMany();
}

function isSortable(column: ColumnMetadata): boolean {
  try {
    orderKeyTypeOf(column);
    return !column.isArray;
  } catch {
    return false;
  }
}

function isCursorValue(column: ColumnMetadata, row: object): boolean {
  try {
    cursorValueOf(column, column.getEntityValue(row, true));
    return true;
  } catch {
    return false;
  }
}
