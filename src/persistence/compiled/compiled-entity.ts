import type { EntityMetadata, FindManyOptions, FindOptionsWhere, ObjectLiteral } from 'typeorm';
import type { ColumnMetadata } from 'typeorm/metadata/ColumnMetadata.js';
import { tableOf } from '../table-of.js';
import { BoundValues } from './bound-values.js';
import { isCompilable } from './compilable.js';
import { FixableColumns } from './fixed-columns.js';
import { rowLimit } from './row-limit.js';
import { keysetCondition, orderClause, pageOrderClause, type PageOrdering } from './order-clause.js';
import { findColumn, propertyTreeOf, type PropertyTree } from './property-tree.js';
import type { TextParser } from './field-reader.js';
import { compileRowReader, selectedColumns, type RowReader } from './row-reader.js';
import { whereCondition } from './where-clause.js';

/** A SELECT whose text is the same for the same shape of options, so that it can be a prepared statement. */
export interface CompiledSelect {
  readonly text: string;
  /** For `$1`, `$2`, …: what TypeORM would give to the driver. */
  readonly params: readonly unknown[];
  /** Columns that the conditions fix to one value; they are not selected. The same for the same text. */
  readonly knownColumns: readonly ColumnMetadata[];
  /** The values of these, for the row reader. */
  readonly known: readonly string[];
  /** The id that the conditions fix, if they do: no other row can be in the answer. */
  readonly ids: readonly string[] | undefined;
}

/** A SELECT of rows by id, and where in its rows the id and the user stand. */
export interface ByIdSelect {
  readonly text: string;
  /** Columns whose values are the same for all rows. */
  readonly knownColumns: readonly ColumnMetadata[];
  /** -1 where it is known. */
  readonly idIndex: number;
  readonly userIdIndex: number;
}

/** The same rows, asked for in two ways. */
export interface ByIdSelects {
  /** `$1` is the tenant, `$2` one id; both are known. */
  readonly one: ByIdSelect;
  /** `$1` is the tenant, which is known, and `$2` a list of ids. */
  readonly several: ByIdSelect;
}

/** One page of a list, as `AllShardsRepository` asks every shard for it. */
export interface CompiledPage<T> {
  readonly where: FindOptionsWhere<T> | readonly FindOptionsWhere<T>[];
  readonly ordering: readonly PageOrdering[];
  /** The page begins behind the row with these sort keys, one for each column of `ordering`. */
  readonly after?: readonly unknown[] | undefined;
  readonly limit?: number | undefined;
}

/**
 * Options of TypeORM's `find` that do not stand in the way of a compiled statement. Whatever else is set
 * makes TypeORM answer: options that later versions of TypeORM may add are among that.
 */
const FIND_OPTIONS: ReadonlySet<string> = new Set([
  'where',
  'order',
  'skip',
  'take',
  'withDeleted',
  'loadEagerRelations',
]);

const compiledEntities = new WeakMap<EntityMetadata, CompiledEntity<ObjectLiteral> | null>();

/**
 * Statements and row readers of one entity, compiled from TypeORM's metadata. Every answer equals TypeORM's
 * own, down to the classes of the values; where that is not certain, the answer is `undefined` and TypeORM has
 * to be asked. What the conditions say of every row, such as whose account it is about, is not asked of the
 * server: it would be written, sent and read for each row again.
 */
export class CompiledEntity<T extends ObjectLiteral> {
  /** `schema.table`, without quotes. */
  readonly table: string;
  readonly #metadata: EntityMetadata;
  readonly #properties: PropertyTree;
  readonly #fixable: FixableColumns;
  readonly #fromSql: string;
  /** By the columns that are known, the same array for the same ones. */
  readonly #selectSqls = new Map<readonly ColumnMetadata[], string>();
  readonly #notDeletedSql: string | undefined;
  readonly #byIds: ByIdSelects | undefined;

  private constructor(metadata: EntityMetadata) {
    this.table = tableOf(metadata);
    this.#metadata = metadata;
    this.#properties = propertyTreeOf(metadata);
    this.#fixable = new FixableColumns(metadata);
    const { driver } = metadata.dataSource;
    const table = metadata.tablePath.split('.').map((part) => driver.escape(part));
    this.#fromSql = `from ${table.join('.')}`;
    const { deleteDateColumn } = metadata;
    this.#notDeletedSql = deleteDateColumn && `${driver.escape(deleteDateColumn.databaseName)} is null`;
    this.#byIds = this.#compileByIds();
  }

  /** The compiled form of an entity, the same object every time; undefined when TypeORM must answer always. */
  static of<T extends ObjectLiteral>(metadata: EntityMetadata): CompiledEntity<T> | undefined {
    let compiled = compiledEntities.get(metadata);
    if (compiled === undefined) {
      compiled = isCompilable(metadata) ? new CompiledEntity(metadata) : null;
      compiledEntities.set(metadata, compiled);
    }
    return (compiled as CompiledEntity<T> | null) ?? undefined;
  }

  /**
   * The rows of these ids, unordered, those deleted softly left out, for reads by id that are sent together;
   * and of one id, which is less work. Undefined when TypeORM must answer, and for entities without tenant.
   */
  get byIds(): ByIdSelects | undefined {
    return this.#isObserved() || this.#hasEagerRelations() ? undefined : this.#byIds;
  }

  /**
   * What `find` with these options asks; for `findOne`, with `take: 1`. Pass TypeORM's options only: an option
   * that is not known here makes TypeORM answer.
   */
  select(options: FindManyOptions<T>): CompiledSelect | undefined {
    if (this.#isObserved() || !this.#hasKnownOptionsOnly(options)) return undefined;
    const values = new BoundValues();
    const where = whereCondition(options.where, this.#properties, values);
    const order = orderClause(options.order, this.#properties);
    const limit = rowLimit(options.take, options.skip, values);
    if (where === undefined || order === undefined || limit === undefined) return undefined;
    // TypeORM then sorts as the entity declares.
    if (order === '' && this.#metadata.orderBy !== undefined) return undefined;
    const conditions = this.#conditions([where], options.withDeleted === true);
    return this.#selectRows(options.where, `${conditions}${order}${limit}`, values);
  }

  /** What one shard is asked for a page of a list over shards; behind `after`, where that is given. */
  selectPage(page: CompiledPage<T>): CompiledSelect | undefined {
    if (this.#isObserved() || this.#hasEagerRelations()) return undefined;
    const values = new BoundValues();
    const where = whereCondition(page.where, this.#properties, values);
    const order = pageOrderClause(page.ordering, this.#properties);
    const behind =
      page.after === undefined ? '' : keysetCondition(page.ordering, page.after, this.#properties, values);
    const limit = rowLimit(page.limit, undefined, values);
    if (where === undefined || order === undefined || behind === undefined || limit === undefined) {
      return undefined;
    }
    const conditions = this.#conditions([where, behind], false);
    return this.#selectRows(page.where, `${conditions}${order}${limit}`, values);
  }

  /**
   * Makes what turns one row of any of this entity's statements into an entity. To be made once per
   * connection's types and kept.
   *
   * @param parsers for each selected column what the driver parses its text with; they never see null
   * @param knownColumns of the statement
   */
  rowReader(parsers: readonly TextParser[], knownColumns: readonly ColumnMetadata[]): RowReader<T> {
    return compileRowReader(this.#metadata, parsers, knownColumns) as RowReader<T>;
  }

  #selectRows(where: unknown, clauses: string, values: BoundValues): CompiledSelect {
    const fixed = this.#fixable.fixedBy(where);
    const id = fixed.values[fixed.columns.findIndex(({ propertyPath }) => propertyPath === 'id')];
    return {
      text: `${this.#selectSql(fixed.columns)}${clauses}`,
      params: values.list,
      knownColumns: fixed.columns,
      known: fixed.values,
      ids: id === undefined ? undefined : [id],
    };
  }

  #selectSql(known: readonly ColumnMetadata[]): string {
    let sql = this.#selectSqls.get(known);
    if (sql === undefined) {
      const { driver } = this.#metadata.dataSource;
      const names = selectedColumns(this.#metadata, known).map(({ databaseName }) => databaseName);
      sql = `select ${names.map((name) => driver.escape(name)).join(', ')} ${this.#fromSql}`;
      this.#selectSqls.set(known, sql);
    }
    return sql;
  }

  #conditions(given: readonly string[], withDeleted: boolean): string {
    const conditions = given.filter((condition) => condition !== '').map((condition) => `(${condition})`);
    if (!withDeleted && this.#notDeletedSql !== undefined) conditions.push(this.#notDeletedSql);
    return conditions.length === 0 ? '' : ` where ${conditions.join(' and ')}`;
  }

  #compileByIds(): ByIdSelects | undefined {
    const tenant = findColumn(this.#properties, 'tenantId');
    const id = findColumn(this.#properties, 'id');
    if (tenant === undefined || id?.column.type !== 'uuid') return undefined;
    if (tenant.column.transformer !== undefined || id.column.transformer !== undefined) return undefined;
    const ofTenant = `${tenant.sql} = $1`;
    return {
      one: this.#byIdSelect(`${ofTenant} and ${id.sql} = $2`, [tenant.column, id.column]),
      several: this.#byIdSelect(`${ofTenant} and ${id.sql} = any($2::uuid[])`, [tenant.column]),
    };
  }

  #byIdSelect(condition: string, knownColumns: readonly ColumnMetadata[]): ByIdSelect {
    const paths = selectedColumns(this.#metadata, knownColumns).map(({ propertyPath }) => propertyPath);
    return {
      text: `${this.#selectSql(knownColumns)}${this.#conditions([condition], false)}`,
      knownColumns,
      idIndex: paths.indexOf('id'),
      userIdIndex: paths.indexOf('userId'),
    };
  }

  #hasKnownOptionsOnly(options: FindManyOptions<T>): boolean {
    for (const key in options) {
      if (!FIND_OPTIONS.has(key) && options[key as keyof typeof options] !== undefined) return false;
    }
    return options.loadEagerRelations === false || !this.#hasEagerRelations();
  }

  #hasEagerRelations(): boolean {
    return this.#metadata.eagerRelations.length > 0;
  }

  /** Whether a subscriber, which may have come at any time, wants to hear of loads or of statements. */
  #isObserved(): boolean {
    const { subscribers } = this.#metadata.dataSource;
    return (
      subscribers.length > 0 &&
      subscribers.some(
        (subscriber) =>
          'afterLoad' in subscriber || 'beforeQuery' in subscriber || 'afterQuery' in subscriber,
      )
    );
  }
}
