import type pg from 'pg';
import type { EntityManager } from 'typeorm';
import { GatewayContext, type GatewayScope } from '../common/gateway-context.js';
import { GatewayError, ValidationError } from '../common/gateway-error.js';
import type { RequestTrace } from '../common/request-trace.js';
import type { ShardPosition } from '../common/shard-position.js';
import { sizeOfRows } from '../cache/answer-size.js';
import type { CacheRead, QueryCache } from '../cache/query-cache.js';
import type { TableRows } from '../cache/table-rows.js';
import type { SqlRow } from '../common/sql-executor.js';
import { readTables } from '../persistence/statements/read-tables.js';
import { valuesOf, type DatabaseNode } from '../sharding/connections/database-node.js';
import type { RawRow } from '../sharding/connections/prepared-statement.js';
import type { ParameterValue } from '../sharding/connections/scoped-read.js';
import { parsedResult, type TextResult } from '../sharding/connections/text-result.js';
import { assertReadOptions } from './find-options.js';
import type { ReadOptions, ShardAccess, ShardCall } from './shard-access.js';
import { StatementNames } from './statement-names.js';

/**
 * An answer as the server sent it: text, which nobody can change. Everybody makes objects of their own from it,
 * those who share it and those who come later.
 */
export interface KeptAnswer {
  readonly rows: readonly RawRow[];
}

/** What a read asks. */
export interface StatementCall<Answer extends KeptAnswer> {
  /** Tells this statement and its parameters from all others of the tenant's on its login. */
  readonly key: string;
  /** What the answer is made of. */
  readonly tables: readonly TableRows[];
  /** Asks one node. */
  readonly ask: (node: DatabaseNode, scope: GatewayScope) => Promise<Answer>;
}

/** What the cache has to be told of a process's shards and writes. */
export interface CachedReadsParts {
  /** Undefined where the gateway has none. */
  readonly cache: QueryCache<KeptAnswer> | undefined;
  /** The epoch of the newest shard map. */
  readonly epoch: () => number;
  /** The tables of which the cache hears when they are written: those of entities, as `schema.table`. */
  readonly knownTables: ReadonlySet<string>;
}

/**
 * The one way of a read: cache, then single flight, then a node that shows what it must.
 *
 * What the cache answers is as new as the latest write that this process acknowledged or heard of, and as the
 * tokens of the call ask for.
 */
export class CachedReads {
  readonly #access: ShardAccess;
  readonly #parts: CachedReadsParts;
  readonly #texts = new StatementNames();

  constructor(access: ShardAccess, parts: CachedReadsParts) {
    this.#access = access;
    this.#parts = parts;
  }

  /** @returns the answer itself where it is kept: a promise would cost more than finding it */
  read<Answer extends KeptAnswer>(
    call: ShardCall,
    statement: StatementCall<Answer>,
    options: ReadOptions,
  ): Answer | Promise<Answer> {
    const { cache } = this.#parts;
    if (cache === undefined) return this.#access.readOn(call, statement.ask, options);
    const scope = GatewayContext.require();
    const trace = GatewayContext.trace();
    if (!this.#mayBeKept(options, trace)) {
      cache.countsOf(scope.tenantId).bypasses.asked += 1;
      return this.#access.readOn(call, statement.ask, options);
    }
    this.#access.assertServed(call.shardId);
    const read = this.#cacheRead(call, scope, statement, options, trace);
    const kept = cache.lookUp(read);
    if (kept !== undefined) {
      trace?.noteRead(call.shardId, 'cache');
      // One key is one statement's, and its answers are of one kind.
      return kept as Answer;
    }
    const ask = async (least: ShardPosition | undefined) => {
      const answer = await this.#access.readOn(call, statement.ask, options, least);
      return { answer, bytes: sizeOfRows(answer.rows) };
    };
    const filled = cache.fill(read, statement.tables, ask) as Promise<Answer>;
    return filled.catch((error: unknown) => {
      // No node that shows the latest writes can answer. One that shows what the call itself asks for may.
      if (!isNobodyThere(error)) throw error;
      return this.#access.readOn(call, statement.ask, options);
    });
  }

  /**
   * A read through TypeORM: each of its statements goes the way of {@link read}, with what its text says that it
   * is made of.
   */
  readThrough<R>(
    call: ShardCall,
    run: (manager: EntityManager) => Promise<R>,
    options: ReadOptions = {},
  ): Promise<R> {
    // What a caller wrote, or what nobody keeps, goes to one node as a whole.
    if (call.login === 'tenant' || !this.#mayBeKept(options)) return this.#access.read(call, run, options);
    const answer = async (sql: string, params: readonly unknown[]): Promise<pg.QueryResult> => {
      const read = readTables(sql);
      const tables = read?.every((table) => this.#parts.knownTables.has(table)) === true ? read : undefined;
      return parsedResult(await this.#readStatement(call, { sql, params, tables }, options));
    };
    return run(this.#access.readAnswered(call, answer));
  }

  /**
   * One statement of a caller's, who says what tables its answer is made of, and of nothing else.
   *
   * @throws ValidationError for a table that no entity has: nobody would hear of its writes
   */
  async readRaw(
    call: ShardCall,
    statement: {
      readonly sql: string;
      readonly params: readonly unknown[];
      readonly tables: readonly string[];
    },
    options: ReadOptions,
  ): Promise<SqlRow[]> {
    const unknown = statement.tables.find((table) => !this.#parts.knownTables.has(table));
    if (unknown !== undefined) {
      const message = `${unknown} is no entity's table; name those of entities, as schema.table`;
      throw new ValidationError([{ path: 'tables', message }]);
    }
    return parsedResult(await this.#readStatement(call, statement, options)).rows as SqlRow[];
  }

  #mayBeKept({ cache, from }: ReadOptions, trace = GatewayContext.trace()): boolean {
    return (
      this.#parts.cache !== undefined &&
      cache !== false &&
      from !== 'primary' &&
      trace?.goesPastCache !== true
    );
  }

  #readStatement(
    call: ShardCall,
    {
      sql,
      params,
      tables,
    }: { sql: string; params: readonly unknown[]; tables: readonly string[] | undefined },
    options: ReadOptions,
  ): TextResult | Promise<TextResult> {
    const ask = (node: DatabaseNode, scope: GatewayScope): Promise<TextResult> =>
      node.queryText(this.#access.readSession(scope, call), sql, params);
    if (tables === undefined) {
      if (this.#parts.cache !== undefined) {
        this.#parts.cache.countsOf(GatewayContext.require().tenantId).bypasses.uncacheable += 1;
      }
      return this.#access.readOn(call, ask, options);
    }
    const key = statementKey(this.#texts.nameOf(sql), valuesOf(params));
    return this.read(call, { key, tables: tables.map((table) => ({ table, ids: undefined })), ask }, options);
  }

  #cacheRead(
    { shardId, login = 'shared' }: ShardCall,
    { tenantId }: GatewayScope,
    { key }: StatementCall<KeptAnswer>,
    { cache }: ReadOptions,
    trace: RequestTrace | undefined,
  ): CacheRead {
    if (typeof cache === 'object') assertReadOptions({ cache });
    return {
      key: `${this.#parts.epoch()} ${shardId} ${tenantId} ${login} ${key}`,
      shardId,
      tenantId,
      // Whose write a token is of it does not say: two processes can have the same position. So one of this
      // process's own asks for answers that were filled under it, too.
      required: trace?.tokenPosition(shardId),
      ttlMs: typeof cache === 'object' ? cache.ttlMs : undefined,
    };
  }
}

function isNobodyThere(error: unknown): boolean {
  return error instanceof GatewayError && (error.code === 'shard_unavailable' || error.code === 'overloaded');
}

/** A key for a statement with these parameters, as the driver takes them. Different ones have different keys. */
export function statementKey(name: string, params: readonly ParameterValue[]): string {
  let key = name;
  for (const param of params) {
    if (param === null) key += ' n';
    else if (typeof param === 'string') key += ` ${param.length} ${param}`;
    else key += ` b${param.length} ${param.toString('latin1')}`;
  }
  return key;
}
