import type pg from 'pg';
import type { EntityManager } from 'typeorm';
import { GatewayContext, type GatewayScope } from '../common/gateway-context.js';
import { GatewayError, ValidationError } from '../common/gateway-error.js';
import type { ReadSource, RequestTrace } from '../common/request-trace.js';
import type { ShardPosition } from '../common/shard-position.js';
import { sizeOfAnswer } from '../cache/answer-size.js';
import type { CacheRead, Kept, QueryCache } from '../cache/query-cache.js';
import type { TableRows } from '../cache/table-rows.js';
import type { SqlRow } from '../common/sql-executor.js';
import { readTables } from '../persistence/statements/read-tables.js';
import type { DatabaseNode } from '../sharding/connections/database-node.js';
import { valuesOf, type ParameterValue } from '../sharding/connections/parameter-values.js';
import type { RawRow } from '../sharding/connections/prepared-statement.js';
import { parsedResult, type TextResult } from '../sharding/connections/text-result.js';
import { strictestChoice, type CacheChoice, type KnownTables } from './cache-choice.js';
import { assertReadOptions } from './find-options.js';
import type { ShardCall } from './shard-call.js';
import type { ReadOptions, ShardReads } from './shard-reads.js';
import { StatementNames } from './statement-names.js';

/**
 * An answer as the server sent it: text, which nobody can change. Everybody makes objects of their own from it,
 * those who share it and those who come later.
 */
export interface KeptAnswer {
  readonly rows: readonly RawRow[];
  /** Its columns, where only the answer tells of them. */
  readonly fields?: readonly unknown[];
}

/** What a read asks. Most answers are there: whatever only a database needs is best made when it is asked for. */
export interface StatementCall<Answer extends KeptAnswer> {
  /** Tells this statement from all others, of whichever login. */
  readonly name: string;
  /** Tells its parameters, and the shard that is asked, from all others; an id says its shard by itself. */
  readonly key: string;
  /** What its entities say of keeping answers, where the call does not. */
  readonly caching: CacheChoice | undefined;
  /** What the answer is made of. */
  readonly tables: readonly TableRows[];
  /** Asks one node. */
  ask(node: DatabaseNode, scope: GatewayScope): Promise<Answer>;
}

/** What the cache has to be told of a process's shards and writes. */
export interface CachedReadsParts {
  /** Undefined where the gateway has none. */
  readonly cache: QueryCache<KeptAnswer> | undefined;
  /** The epoch of the newest shard map. */
  readonly epoch: () => number;
  /** The tables of which the cache hears when they are written, those of entities; and what these say of keeping. */
  readonly tables: KnownTables;
}

/**
 * The one way of a read: cache, then single flight, then a node that shows what it must.
 *
 * What the cache answers is as new as the latest write that this process acknowledged or heard of, and as the
 * tokens of the call ask for.
 */
export class CachedReads {
  readonly #reads: ShardReads;
  readonly #parts: CachedReadsParts;
  readonly #texts = new StatementNames();
  /** Which kind of node gave an answer. */
  readonly #sources = new WeakMap<KeptAnswer, ReadSource>();
  /** Of the shard map under which everything in the cache was asked for. */
  #epoch: number | undefined;

  constructor(reads: ShardReads, parts: CachedReadsParts) {
    this.#reads = reads;
    this.#parts = parts;
  }

  /** @returns the answer itself where it is kept: a promise would cost more than finding it */
  read<Answer extends KeptAnswer>(
    call: ShardCall,
    statement: StatementCall<Answer>,
    options: ReadOptions,
  ): Answer | Promise<Answer> {
    const { cache } = this.#parts;
    if (cache === undefined) return this.#ask(call, statement, options);
    const { scope, trace } = GatewayContext.active();
    const choice = choiceOf(statement, options, trace);
    if (choice === false) {
      cache.countsOf(scope.tenantId).bypasses.asked += 1;
      return this.#ask(call, statement, options);
    }
    if (typeof choice === 'object') assertReadOptions({ cache: choice });
    this.#reads.assertServed(call.shardId);
    this.#followEpoch(cache);
    const read: CacheRead = {
      tenantId: scope.tenantId,
      shardId: call.shardId,
      statement: statement.name,
      key: statement.key,
      required: trace.tokenPosition(call.shardId),
      ttlMs: typeof choice === 'object' ? choice.ttlMs : undefined,
    };
    const kept = cache.lookUp(read);
    if (kept === undefined) return this.#fill(cache, read, { call, statement, options });
    // One statement's answers are of one kind.
    return this.#served(kept, trace) as Answer;
  }

  /**
   * The kept answer of a statement whose key alone says on which shard it was asked, as an id does: what is found
   * needs no route. Where there is none, or the call asks for anything special, {@link read} has the answer.
   */
  kept<Answer extends KeptAnswer>(
    statement: Pick<StatementCall<Answer>, 'name' | 'key' | 'caching'>,
    options: ReadOptions,
  ): Answer | undefined {
    const { cache } = this.#parts;
    const { scope, trace } = GatewayContext.active();
    const choice = choiceOf(statement, options, trace);
    if (cache === undefined || choice === false || typeof choice === 'object' || trace.hasTokens) {
      return undefined;
    }
    this.#followEpoch(cache);
    const kept = cache.lookUp({
      tenantId: scope.tenantId,
      statement: statement.name,
      key: statement.key,
      required: undefined,
      ttlMs: undefined,
    });
    if (kept === undefined) return undefined;
    this.#reads.assertServed(kept.shardId);
    return this.#served(kept, trace) as Answer;
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
    const isPast =
      options.cache === false || options.from === 'primary' || GatewayContext.trace()?.goesPastCache;
    if (call.login === 'tenant' || this.#parts.cache === undefined || isPast === true)
      return this.#reads.read(call, run, options);
    const answer = async (sql: string, params: readonly unknown[]): Promise<pg.QueryResult> => {
      const read = readTables(sql);
      const tables = read?.every((table) => this.#parts.tables.has(table)) === true ? read : undefined;
      return parsedResult(await this.#readStatement(call, { sql, params, tables }, options));
    };
    return run(this.#reads.readAnswered(call, answer));
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
    const unknown = statement.tables.find((table) => !this.#parts.tables.has(table));
    if (unknown !== undefined) {
      const message = `${unknown} is no entity's table; name those of entities, as schema.table`;
      throw new ValidationError([{ path: 'tables', message }]);
    }
    return parsedResult(await this.#readStatement(call, statement, options)).rows as SqlRow[];
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
      node.queryText(this.#reads.readSession(scope, call), sql, params);
    if (tables === undefined) {
      if (this.#parts.cache !== undefined) {
        this.#parts.cache.countsOf(GatewayContext.require().tenantId).bypasses.uncacheable += 1;
      }
      return this.#reads.readOn(call, ask, options);
    }
    const statement: StatementCall<TextResult> = {
      // The same text may answer otherwise on a login of the tenant's own.
      name: `${call.login ?? 'shared'} ${this.#texts.nameOf(sql)}`,
      key: parametersKey(call.shardId, valuesOf(params)),
      caching: strictestChoice(tables.map((table) => this.#parts.tables.get(table))),
      tables: tables.map((table) => ({ table, ids: undefined })),
      ask,
    };
    return this.read(call, statement, options);
  }

  /** Writes down what the cache gives. */
  #served({ answer, shardId }: Kept<KeptAnswer>, trace: RequestTrace): KeptAnswer {
    trace.noteRead(shardId, 'cache');
    this.#reads.counts.note(shardId, 'cache');
    return answer;
  }

  #ask<Answer extends KeptAnswer>(
    call: ShardCall,
    statement: StatementCall<Answer>,
    options: ReadOptions,
  ): Promise<Answer> {
    return this.#reads.readOn(call, (node, scope) => statement.ask(node, scope), options);
  }

  #fill<Answer extends KeptAnswer>(
    cache: QueryCache<KeptAnswer>,
    read: CacheRead,
    { call, statement, options }: { call: ShardCall; statement: StatementCall<Answer>; options: ReadOptions },
  ): Promise<Answer> {
    // One who asks finds out within `fill`.
    const caller = { isJoiner: true };
    const askNode = async (node: DatabaseNode, scope: GatewayScope): Promise<Answer> => {
      const answer = await statement.ask(node, scope);
      this.#sources.set(answer, node.role);
      return answer;
    };
    const ask = async (least: ShardPosition | undefined) => {
      caller.isJoiner = false;
      const answer = await this.#reads.readOn(call, askNode, options, least);
      return { answer, bytes: sizeOfAnswer(answer) };
    };
    const filled = cache.fill(read, statement.tables, ask) as Promise<Answer>;
    const answered = caller.isJoiner ? this.#joined(filled, call.shardId) : filled;
    return answered.catch((error: unknown) => {
      // No node that shows the latest writes can answer. One that shows what the call itself asks for may.
      if (!isNobodyThere(error)) throw error;
      return this.#ask(call, statement, options);
    });
  }

  /** Who joins another's asking has read from where that one has. */
  async #joined<Answer extends KeptAnswer>(filled: Promise<Answer>, shardId: string): Promise<Answer> {
    const answer = await filled;
    const source = this.#sources.get(answer);
    if (source !== undefined) GatewayContext.trace()?.noteRead(shardId, source);
    return answer;
  }

  /** Under another shard map a tenant's rows may be elsewhere: nothing that was asked for before is given again. */
  #followEpoch(cache: QueryCache<KeptAnswer>): void {
    const epoch = this.#parts.epoch();
    if (epoch === this.#epoch) return;
    this.#epoch = epoch;
    cache.clear();
  }
}

function isNobodyThere(error: unknown): boolean {
  return error instanceof GatewayError && (error.code === 'shard_unavailable' || error.code === 'overloaded');
}

/** What the call says of the cache, else what the entity says; nothing is kept of what has to come from elsewhere. */
function choiceOf(
  { caching }: Pick<StatementCall<KeptAnswer>, 'caching'>,
  { cache = caching, from }: ReadOptions,
  trace: RequestTrace,
): CacheChoice | undefined {
  return from === 'primary' || trace.goesPastCache ? false : cache;
}

/** A key for parameters as the driver takes them, on one shard. Different ones have different keys. */
export function parametersKey(shardId: string, params: readonly ParameterValue[]): string {
  let key = shardId;
  for (const param of params) {
    if (param === null) key += ' n';
    else if (typeof param === 'string') key += ` ${param.length} ${param}`;
    else key += ` b${param.length} ${param.toString('latin1')}`;
  }
  return key;
}
