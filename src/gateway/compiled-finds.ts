import { LRUCache } from 'lru-cache';
import type { EntityMetadata, FindManyOptions, ObjectLiteral } from 'typeorm';
import type { TableRows } from '../cache/table-rows.js';
import type { GatewayScope } from '../common/gateway-context.js';
import { ConfigurationError } from '../common/gateway-error.js';
import {
  CompiledEntity,
  type ByIdSelect,
  type CompiledPage,
  type CompiledSelect,
} from '../persistence/compiled/compiled-entity.js';
import type { ShardedEntity } from '../persistence/sharded-entity.js';
import { shardedOptionsOf } from '../persistence/sharded.js';
import type { NodeDataSource } from '../sharding/connections/node-data-source.js';
import type { DatabaseNode } from '../sharding/connections/database-node.js';
import { valuesOf } from '../sharding/connections/parameter-values.js';
import type { NodeDirectory } from '../sharding/connections/node-directory.js';
import {
  PreparedStatement,
  type RowReader,
  type TextParser,
} from '../sharding/connections/prepared-statement.js';
import type { ReadAnswer } from '../sharding/connections/scoped-read.js';
import type { CacheChoice } from './cache-choice.js';
import { parametersKey, type CachedReads, type StatementCall } from './cached-reads.js';
import { PointReads, type ByIdStatement, type ByIdStatements, type PointAnswer } from './point-reads.js';
import type { ShardCall } from './shard-call.js';
import type { ReadOptions } from './shard-reads.js';
import type { ShardedEntityClass } from './sharded-entity-class.js';

/** Shapes of finds of one entity that stay prepared; the least used makes room. */
const STATEMENTS_MAX = 100;

interface Compiled<T extends ObjectLiteral> {
  readonly entity: CompiledEntity<T>;
  readonly caching: CacheChoice | undefined;
  readonly byIds: ByIdStatements<T> | undefined;
  readonly statements: LRUCache<string, PreparedStatement<T>>;
}

/**
 * The finds that need no query builder: their statements and row readers are compiled from the entity's
 * metadata, and answer what TypeORM would. Everything else is `undefined` here, and TypeORM's to answer.
 */
export class CompiledFinds {
  readonly #reads: CachedReads;
  readonly #dataSource: NodeDataSource;
  readonly #points = new PointReads();
  readonly #entities = new Map<unknown, Compiled<never> | undefined>();

  constructor(reads: CachedReads, nodes: NodeDirectory) {
    this.#reads = reads;
    // Every node knows the same entities; the first one is asked.
    const [node] = nodes.all();
    if (node === undefined) throw new ConfigurationError('shards: name at least one shard.');
    this.#dataSource = node.dataSource;
  }

  /**
   * The row of this id, of whichever user, where the cache has it; null where it knows that there is none.
   *
   * @param id as the caller has it: in another spelling than that of the database it is not found
   */
  keptById<T extends ShardedEntity>(
    entity: ShardedEntityClass<T>,
    id: string,
    options: ReadOptions,
  ): T | null | undefined {
    const compiled = this.#compiled(entity);
    const byIds = compiled?.byIds;
    if (byIds === undefined || compiled?.entity.byIds === undefined) return undefined;
    const { caching } = compiled;
    const statement = { name: byIds.several.prepared.name, key: id, caching };
    const kept = this.#reads.kept<PointAnswer<T>>(statement, options);
    return kept && rowFor(undefined, kept);
  }

  /**
   * The row of this id, gathered with others that are asked for in the same turn; with a user in the call,
   * that user's row only.
   *
   * @param id in lower case
   */
  byId<T extends ShardedEntity>(
    call: ShardCall,
    entity: ShardedEntityClass<T>,
    id: string,
    options: ReadOptions,
  ): Promise<T | null> | undefined {
    const compiled = this.#compiled(entity);
    const byIds = compiled?.byIds;
    // The entity is asked each time: a subscriber that wants to hear of loads may have come since.
    if (byIds === undefined || compiled?.entity.byIds === undefined) return undefined;
    const statement = new PointCall(this.#points, byIds, compiled, id);
    const { userId } = call;
    const answer = this.#reads.read(call, statement, options);
    return answer instanceof Promise
      ? answer.then((point) => rowFor(userId, point))
      : Promise.resolve(rowFor(userId, answer));
  }

  /** The rows that a find with these options gives. `where` names the tenant in every alternative. */
  find<T extends ShardedEntity>(
    call: ShardCall,
    entity: ShardedEntityClass<T>,
    find: FindManyOptions<T>,
    options: ReadOptions,
  ): Promise<T[]> | undefined {
    const compiled = this.#compiled(entity);
    const select = compiled?.entity.select(find);
    if (compiled === undefined || select === undefined) return undefined;
    return this.#run(call, compiled, select, options);
  }

  /** One shard's part of a page. @see CompiledEntity.selectPage */
  page<T extends ShardedEntity>(
    call: ShardCall,
    entity: ShardedEntityClass<T>,
    page: CompiledPage<T>,
    options: ReadOptions,
  ): Promise<T[]> | undefined {
    const compiled = this.#compiled(entity);
    const select = compiled?.entity.selectPage(page);
    if (compiled === undefined || select === undefined) return undefined;
    return this.#run(call, compiled, select, options);
  }

  /** What TypeORM knows of an entity. */
  metadata<T extends ShardedEntity>(entity: ShardedEntityClass<T>): EntityMetadata {
    return this.#dataSource.getMetadata(entity);
  }

  #run<T extends ObjectLiteral>(
    call: ShardCall,
    compiled: Compiled<T>,
    select: CompiledSelect,
    options: ReadOptions,
  ): Promise<T[]> {
    const prepared = statementOf(compiled, select);
    const { known } = select;
    const params = valuesOf(select.params);
    const statement: StatementCall<ReadAnswer<T>> = {
      name: prepared.name,
      key: parametersKey(call.shardId, params),
      caching: compiled.caching,
      tables: [{ table: compiled.entity.table, ids: select.ids }],
      ask: (node, { tenantId }) => node.readTogether(tenantId, prepared, params),
    };
    const answer = this.#reads.read(call, statement, options);
    return answer instanceof Promise
      ? answer.then(({ rows, read }) => rows.map((fields) => read(fields, known)))
      : Promise.resolve(answer.rows.map((fields) => answer.read(fields, known)));
  }

  #compiled<T extends ShardedEntity>(entityClass: ShardedEntityClass<T>): Compiled<T> | undefined {
    const known = this.#entities.get(entityClass) as unknown as Compiled<T> | undefined;
    if (known !== undefined || this.#entities.has(entityClass)) return known;
    const entity = CompiledEntity.of<T>(this.metadata(entityClass));
    const compiled = entity && {
      entity,
      caching: shardedOptionsOf(entityClass)?.cache,
      byIds: byIdsOf(entity),
      statements: new LRUCache<string, PreparedStatement<T>>({ max: STATEMENTS_MAX }),
    };
    this.#entities.set(entityClass, compiled as unknown as Compiled<never> | undefined);
    return compiled;
  }
}

/** The row of one id, as the cache keeps it. There is one for every read: what a hit does not need is made later. */
class PointCall<T extends ShardedEntity> implements StatementCall<PointAnswer<T>> {
  readonly name: string;
  readonly key: string;
  readonly caching: CacheChoice | undefined;
  readonly #points: PointReads;
  readonly #byIds: ByIdStatements<T>;
  readonly #table: string;

  constructor(points: PointReads, byIds: ByIdStatements<T>, { entity, caching }: Compiled<T>, id: string) {
    this.name = byIds.several.prepared.name;
    this.key = id;
    this.caching = caching;
    this.#points = points;
    this.#byIds = byIds;
    this.#table = entity.table;
  }

  get tables(): readonly TableRows[] {
    return [{ table: this.#table, ids: [this.key] }];
  }

  ask(node: DatabaseNode, { tenantId }: GatewayScope): Promise<PointAnswer<T>> {
    return this.#points.find(node, tenantId, this.#byIds, this.key);
  }
}

/** The row as a new object, if this user may see it. @param asker undefined: whoever's it is */
function rowFor<T>(asker: string | undefined, { rows, read, known, userId }: PointAnswer<T>): T | null {
  const [fields] = rows;
  if (fields === undefined || (asker !== undefined && asker !== userId)) return null;
  return read(fields, known);
}

function statementOf<T extends ObjectLiteral>(
  { entity, statements }: Compiled<T>,
  { text, knownColumns }: CompiledSelect,
): PreparedStatement<T> {
  const known = statements.get(text);
  if (known !== undefined) return known;
  const statement = new PreparedStatement<T>(text, (parsers) => entity.rowReader(parsers, knownColumns));
  statements.set(text, statement);
  return statement;
}

function byIdsOf<T extends ObjectLiteral>(entity: CompiledEntity<T>): ByIdStatements<T> | undefined {
  if (entity.byIds === undefined) return undefined;
  const { one, several } = entity.byIds;
  const prepare = (select: ByIdSelect, hasOnePlan: boolean): ByIdStatement<T> => {
    const { text, knownColumns, ...places } = select;
    const makeReader = (parsers: readonly TextParser[]): RowReader<T> =>
      entity.rowReader(parsers, knownColumns);
    return { prepared: new PreparedStatement(text, makeReader, { hasOnePlan }), ...places };
  };
  return { one: prepare(one, false), several: prepare(several, true) };
}
