import {
  Brackets,
  type EntityManager,
  type EntityMetadata,
  type FindOptionsRelations,
  type FindOptionsWhere,
  type ObjectLiteral,
  type SelectQueryBuilder,
} from 'typeorm';
import { ValidationError } from '../common/gateway-error.js';
import type { CompiledPage } from '../persistence/compiled/compiled-entity.js';
import type { PageOrdering } from '../persistence/compiled/order-clause.js';
import type { ShardedEntity } from '../persistence/sharded-entity.js';
import { sqlStateOf } from '../sharding/connections/failure.js';
import { fanOut } from '../sharding/scatter-gather/fan-out.js';
import { decodeCursor, encodeCursor, type CursorValue } from '../sharding/scatter-gather/keyset-cursor.js';
import { mergeOrdered } from '../sharding/scatter-gather/ordered-merge.js';
import { compareRows, type OrderKey } from '../sharding/scatter-gather/row-order.js';
import { cursorValueOf, isCollated, orderKeyTypeOf } from './column-order.js';
import type { ReadOptions } from './shard-reads.js';
import type { ShardedEntityClass } from './sharded-entity-class.js';
import { withTenant } from './tenant-predicate.js';

/** Shards asked at once by one call. */
const FAN_OUT_MAX = 16;
/** How long one call over all shards may take, in milliseconds. */
const FAN_OUT_DEADLINE_MS = 30_000;
/** Rows of one page. */
const PAGE_ROWS_MAX = 500;

/** Which rows of all shards, in which order. */
export interface AllShardsFindOptions<T> extends ReadOptions {
  readonly where?: FindOptionsWhere<T> | FindOptionsWhere<T>[];
  /** Columns in order of weight; the id is added last, so that the order is total. Default: by id. */
  readonly order?: Readonly<Partial<Record<Extract<keyof T, string>, 'ASC' | 'DESC'>>>;
  /** Relations to load, within each row's shard. */
  readonly relations?: FindOptionsRelations<T>;
  /** At most so many rows in all. */
  readonly take?: number;
  /** Whether shards that are away are left out and named, instead of failing the call. Default false. */
  readonly partial?: boolean;
}

/** One page of a list that goes on behind its cursor. */
export interface Page<T> {
  readonly items: T[];
  /** Where the next page begins; null at the end. */
  readonly nextCursor: string | null;
  /** Shards that were away; always empty unless `partial` was asked for. */
  readonly missingShards: readonly string[];
}

/** Which page of a list. */
export interface PageOptions<T> extends Omit<AllShardsFindOptions<T>, 'take'> {
  /** Rows of the page, 1 to 500. */
  readonly limit: number;
  /** `nextCursor` of the page before. */
  readonly cursor?: string | undefined;
}

/** How reads reach the shards of the tenant in scope. */
export interface AllShardsRouting<T> {
  /** The tenant in scope. @throws ScopeMissingError without one */
  tenantId(): string;
  /** The shards that can hold rows of the tenant; for one user's rows, that user's shard. */
  shardIds(): readonly string[];
  /** Runs a read of TypeORM's on one shard. @param given what the caller gave to it; the login depends on it */
  read<R>(
    shardId: string,
    run: (manager: EntityManager) => Promise<R>,
    given: unknown,
    options: ReadOptions,
  ): Promise<R>;
  /** One shard's part of a page, compiled; undefined when TypeORM has to answer. */
  page(shardId: string, page: CompiledPage<T>, options: ReadOptions): Promise<T[]> | undefined;
  /** What TypeORM knows of the entity. */
  metadata(): EntityMetadata;
  /** One user's rows only. */
  readonly userId?: string | undefined;
}

/**
 * Reads over the rows of all of the tenant's users. Each shard sorts and limits for itself; what they send
 * is merged in PostgreSQL's own order. Never OFFSET: further pages go on behind a cursor.
 */
export class AllShardsRepository<T extends ShardedEntity> {
  readonly #entity: ShardedEntityClass<T>;
  readonly #routing: AllShardsRouting<T>;

  constructor(entity: ShardedEntityClass<T>, routing: AllShardsRouting<T>) {
    this.#entity = entity;
    this.#routing = routing;
  }

  /** The rows that match, merged in order. @throws ShardUnavailableError when a shard is away */
  async find(options: AllShardsFindOptions<T> = {}): Promise<T[]> {
    const { items } = await this.#collect(options, options.take, undefined);
    return items;
  }

  /** How many rows match, on all shards together. */
  async count({
    where,
    ...options
  }: Pick<AllShardsFindOptions<T>, 'where'> & ReadOptions = {}): Promise<number> {
    const tenant = { tenantId: this.#routing.tenantId(), userId: this.#routing.userId };
    const { results } = await this.#fanOut(false, (shardId) =>
      this.#routing.read(
        shardId,
        (manager) => manager.count(this.#entity, { where: withTenant(where, tenant) }),
        where,
        options,
      ),
    );
    return [...results.values()].reduce((sum, count) => sum + count, 0);
  }

  /**
   * One page of the rows that match. The columns of `order` must not be nullable.
   *
   * @throws ValidationError for a cursor that is not of this list
   */
  async page({ limit, cursor, ...options }: PageOptions<T>): Promise<Page<T>> {
    if (!Number.isInteger(limit) || limit < 1 || limit > PAGE_ROWS_MAX) {
      throw new ValidationError([{ path: 'limit', message: `must be 1 to ${PAGE_ROWS_MAX}` }]);
    }
    const shape = JSON.stringify([this.#entity.name, options.order ?? {}, this.#routing.userId ?? null]);
    const after = cursor === undefined ? undefined : decodeCursor(cursor, shape);
    const { items, missingShards, ordering } = await this.#collect(options, limit + 1, after).catch(
      (error: unknown) => {
        // A cursor has a checksum, no signature: a forged one can carry what is not of the column's type.
        const isForged = after !== undefined && sqlStateOf(error)?.startsWith('22') === true;
        throw isForged ? new ValidationError([{ path: 'cursor', message: 'is not of this list' }]) : error;
      },
    );
    const page = items.slice(0, limit);
    const last = page.at(-1);
    const more = items.length > limit && last !== undefined;
    return {
      items: page,
      nextCursor: more
        ? encodeCursor(
            shape,
            ordering.map(({ column }) => cursorValueOf(column, column.getEntityValue(last, true))),
          )
        : null,
      missingShards,
    };
  }

  async #collect(
    options: Omit<AllShardsFindOptions<T>, 'take'>,
    take: number | undefined,
    after: readonly CursorValue[] | undefined,
  ): Promise<{ items: T[]; missingShards: readonly string[]; ordering: readonly PageOrdering[] }> {
    const tenant = { tenantId: this.#routing.tenantId(), userId: this.#routing.userId };
    const where = withTenant(options.where, tenant);
    const ordering = this.#orderingOf(options.order ?? {});
    const page = { where, ordering, after, limit: take };
    const { results, missingShards } = await this.#fanOut(options.partial ?? false, (shardId) => {
      const compiled = options.relations === undefined && this.#routing.page(shardId, page, options);
      if (compiled !== undefined && compiled !== false) return compiled;
      const { relations } = options;
      return this.#routing.read(
        shardId,
        (manager) => {
          const builder = manager.createQueryBuilder(this.#entity, 'row').setFindOptions({
            where,
            ...(relations !== undefined && { relations }),
            // Joined rows would count against the limit; loaded apart they do not.
            relationLoadStrategy: 'query',
          });
          orderBy(builder, ordering);
          if (after !== undefined) builder.andWhere(isAfter(ordering, after));
          if (take !== undefined) builder.limit(take);
          return builder.getMany();
        },
        where,
        options,
      );
    });
    const keys = ordering.map(({ column, direction }): OrderKey<T> => ({
      get: (row) => column.getEntityValue(row, true) as unknown,
      type: orderKeyTypeOf(column),
      direction,
    }));
    const items: T[] = [];
    for await (const row of mergeOrdered([...results.values()], compareRows(keys))) {
      if (take !== undefined && items.length >= take) break;
      items.push(row);
    }
    return { items, missingShards, ordering };
  }

  #orderingOf(order: Readonly<Record<string, string | undefined>>): PageOrdering[] {
    const metadata = this.#routing.metadata();
    const directions = new Map(Object.entries(order));
    const lastDirection = [...directions.values()].at(-1);
    if (!directions.has('id')) directions.set('id', lastDirection);
    return [...directions].map(([property, direction]) => {
      const column = metadata.findColumnWithPropertyName(property);
      if (column === undefined) {
        throw new ValidationError([
          { path: 'order', message: `${property} is not a column of ${metadata.name}` },
        ]);
      }
      // Text is sorted byte by byte everywhere, so that servers of different locales agree.
      const collateC = isCollated(column);
      return { column, direction: direction === 'DESC' ? 'DESC' : 'ASC', collateC };
    });
  }

  #fanOut<R>(partial: boolean, run: (shardId: string) => Promise<R>) {
    const settings = { concurrency: FAN_OUT_MAX, deadlineMs: FAN_OUT_DEADLINE_MS, partial };
    return fanOut(this.#routing.shardIds(), run, settings);
  }
}

function orderBy<T extends ObjectLiteral>(
  builder: SelectQueryBuilder<T>,
  ordering: readonly PageOrdering[],
): void {
  for (const key of ordering) builder.addOrderBy(sortedBy(key), key.direction);
}

/** Rows behind the given sort keys: beyond the first, or equal in the first and beyond the second, … */
function isAfter(ordering: readonly PageOrdering[], after: readonly CursorValue[]): Brackets {
  const sides = ordering.map((key, index) => ({
    left: sortedBy(key),
    right: `:after${index}`,
    comparison: key.direction === 'ASC' ? '>' : '<',
  }));
  const values = Object.fromEntries(after.map((value, index) => [`after${index}`, value]));
  return new Brackets((where) => {
    for (const [index, { left, right, comparison }] of sides.entries()) {
      const equal = sides.slice(0, index).map((side) => `${side.left} = ${side.right}`);
      where.orWhere([...equal, `${left} ${comparison} ${right}`].join(' AND '), values);
    }
  });
}

function sortedBy({ column, collateC }: PageOrdering): string {
  return `row.${column.propertyPath}${collateC ? ' COLLATE "C"' : ''}`;
}
