import type pg from 'pg';
import { QueryResult, TransactionNotStartedError } from 'typeorm';
import type { PostgresDriver } from 'typeorm/driver/postgres/PostgresDriver.js';
import { PostgresQueryRunner } from 'typeorm/driver/postgres/PostgresQueryRunner.js';
import type { IsolationLevel } from 'typeorm/driver/types/IsolationLevel.js';
import { BroadcasterResult } from 'typeorm/subscriber/BroadcasterResult.js';
import { GatewayError, ScopeConflictError } from '../../common/gateway-error.js';
import { beginSql } from './begin-sql.js';
import type { ConnectionSource, PooledConnection } from './connection-pool.js';
import { isConnectionFailure, toQueryFailedError } from './failure.js';
import type { RawRow } from './prepared-statement.js';
import type { ChangedRows, TenantSession, TransactionWatch } from './tenant-session.js';
import { TenantTransaction } from './tenant-transaction.js';
import { AS_TEXT, type TextResult } from './text-result.js';
import { commitWatched, processIdOf } from './watched-commit.js';

/** The same for all statements of one transaction. */
const BEGUN_SQL = `SELECT EXTRACT(epoch FROM pg_catalog.now())::pg_catalog.text AS "begunAt"`;

/** How a result is to be made, other than the driver does by itself. */
type ResultForm = Pick<pg.QueryArrayConfig, 'types'> & { readonly rowMode?: 'array' };

interface BegunRow {
  readonly begunAt: string;
}

/**
 * TypeORM's query runner, held to one tenant. Every statement runs in a transaction that begins by naming
 * tenant and actor, so that row-level security shows that tenant's rows only; session state never outlives
 * it. Outside of an explicit transaction each statement gets a transaction of its own, sent in one
 * pipelined round trip, and no connection is held between statements.
 */
export class TenantQueryRunner extends PostgresQueryRunner {
  readonly #source: ConnectionSource;
  readonly #session: TenantSession;
  #held: PooledConnection | undefined;
  #broken = false;
  /** When the transaction under way began; it tells it from another one that a caller put in its place. */
  #begunAt: string | undefined;
  /** The caller's own SQL has ended the transaction. */
  #hasEnded = false;
  #watch: TransactionWatch | undefined;
  /** Parameters of statements that say themselves what they change. */
  readonly #declared = new WeakSet<unknown[]>();
  /** The statement before, of a caller's transaction: the next one is sent when what it did is known. */
  #previous: Promise<unknown> = Promise.resolve();

  constructor(driver: PostgresDriver, source: ConnectionSource, session: TenantSession) {
    super(driver, 'master');
    this.#source = source;
    this.#session = session;
  }

  /** The connection of the transaction under way; there is none outside of one. */
  override connect(): Promise<PooledConnection> {
    if (this.#held === undefined) {
      return Promise.reject(new TransactionNotStartedError());
    }
    return Promise.resolve(this.#held);
  }

  override async startTransaction(isolation?: IsolationLevel): Promise<void> {
    if (this.transactionDepth > 0) {
      await super.startTransaction(isolation);
      return;
    }
    await this.broadcaster.broadcast('BeforeTransactionStart');
    const connection = await this.#source.acquire();
    try {
      const [, begun] = await Promise.all([
        connection.query(beginSql(this.#session, isolation)),
        this.#session.login === 'tenant' ? connection.query<BegunRow>(BEGUN_SQL) : undefined,
      ]);
      this.#begunAt = begun?.rows[0]?.begunAt;
    } catch (error) {
      this.#source.release(connection, true);
      throw toQueryFailedError(error);
    }
    this.#held = connection;
    this.#watch = this.#session.watch?.();
    this.#broken = false;
    this.#hasEnded = false;
    this.isTransactionActive = true;
    this.transactionDepth = 1;
    await this.broadcaster.broadcast('AfterTransactionStart');
  }

  override async commitTransaction(): Promise<void> {
    const connection = this.#held;
    if (connection === undefined || this.transactionDepth !== 1) {
      await super.commitTransaction();
      return;
    }
    await this.broadcaster.broadcast('BeforeTransactionCommit');
    try {
      if (this.#hasEnded) throw endedByCaller();
      const watch = this.#watch;
      this.#watch = undefined;
      await commitWatched(connection, watch);
    } catch (error) {
      this.#broken = true;
      throw error;
    } finally {
      this.#leaveTransaction();
    }
    await this.broadcaster.broadcast('AfterTransactionCommit');
  }

  override async rollbackTransaction(): Promise<void> {
    const connection = this.#held;
    if (connection === undefined || this.transactionDepth !== 1) {
      await super.rollbackTransaction();
      return;
    }
    await this.broadcaster.broadcast('BeforeTransactionRollback');
    try {
      await connection.query('ROLLBACK');
    } catch {
      // What state it is in nobody knows, so nobody gets it again. The server rolls back by itself.
      this.#broken = true;
    } finally {
      this.#leaveTransaction();
    }
    await this.broadcaster.broadcast('AfterTransactionRollback');
  }

  /** Whether a savepoint is open in the transaction under way. */
  get isNested(): boolean {
    return this.transactionDepth > 1;
  }

  /** Whether the connection of the transaction under way was lost. */
  get isBroken(): boolean {
    return this.#broken;
  }

  /**
   * Gives the transaction under way to somebody who commits it together with others. This runner has none any more.
   *
   * @throws TransactionNotStartedError without one
   */
  handOver(): TenantTransaction {
    const connection = this.#held;
    if (connection === undefined) throw new TransactionNotStartedError();
    const transaction = TenantTransaction.takeOver(this.#source, connection, this.#watch);
    this.#held = undefined;
    this.#watch = undefined;
    this.#leaveTransaction();
    return transaction;
  }

  override async query<T = unknown>(sql: string, params?: unknown[], structured?: boolean): Promise<T>;
  override async query(sql: string, params?: unknown[], structured = false): Promise<unknown> {
    const broadcast = new BroadcasterResult();
    await this.broadcaster.broadcast('BeforeQuery', sql, params);
    const startedAt = Date.now();
    try {
      const raw = await this.#answer(sql, params);
      const result = toTypeormResult(raw);
      const durationMs = Date.now() - startedAt;
      this.broadcaster.broadcastAfterQueryEvent(broadcast, sql, params, true, durationMs, raw, undefined);
      return structured ? result : (result.raw as unknown);
    } catch (error) {
      if (isConnectionFailure(error)) this.#broken = true;
      this.broadcaster.broadcastAfterQueryEvent(broadcast, sql, params, false, undefined, undefined, error);
      throw error instanceof GatewayError ? error : toQueryFailedError(error);
    } finally {
      await broadcast.wait();
    }
  }

  /**
   * One statement of the transaction under way that says itself which rows it changes, because its text is more
   * than can be read from outside.
   *
   * @param changes the rows, found out from its answer; every one that it may have changed
   */
  async queryDeclaring<T>(
    sql: string,
    params: unknown[],
    changes: (answer: T) => readonly ChangedRows[],
  ): Promise<T> {
    if (this.#held === undefined) throw new TransactionNotStartedError();
    this.#declared.add(params);
    const answer = await this.query<T>(sql, params);
    this.#watch?.wrote(changes(answer));
    return answer;
  }

  /** Gives everything back; a transaction still open is rolled back by closing its connection. */
  override release(): Promise<void> {
    if (this.#held !== undefined) {
      this.#broken = true;
      this.#leaveTransaction();
    }
    this.isReleased = true;
    return Promise.resolve();
  }

  /** One statement in a transaction of its own, its fields left as text. */
  async queryText(sql: string, params: readonly unknown[]): Promise<TextResult> {
    const result = await this.#inOwnTransaction(sql, [...params], { rowMode: 'array', types: AS_TEXT });
    const { command, rowCount, fields, rows } = result;
    // Nothing else of the driver's result: it may be kept, and that holds a function for each field.
    return { command, rowCount, fields, rows: rows as RawRow[] };
  }

  #answer(sql: string, params: unknown[] | undefined): Promise<pg.QueryResult> {
    if (this.#held !== undefined) return this.#runInTransaction(this.#held, sql, params);
    return this.#session.answer?.(sql, params ?? []) ?? this.#inOwnTransaction(sql, params);
  }

  /** Begin, statement, commit and position, sent at once: one round trip for all four. */
  async #inOwnTransaction(
    sql: string,
    params: unknown[] | undefined,
    form: ResultForm = {},
  ): Promise<pg.QueryResult> {
    const connection = await this.#source.acquire();
    const watch = this.#session.watch?.();
    let broken = true;
    try {
      const [begun, answered, committed] = await Promise.allSettled([
        connection.query(beginSql(this.#session)),
        this.#run(connection, sql, params, watch, form),
        commitWatched(connection, watch),
      ]);
      if (begun.status === 'rejected') throw begun.reason;
      if (answered.status === 'rejected') {
        broken =
          isConnectionFailure(answered.reason) ||
          (committed.status === 'rejected' && isConnectionFailure(committed.reason));
        throw answered.reason;
      }
      if (committed.status === 'rejected') throw committed.reason;
      broken = false;
      return answered.value;
    } finally {
      this.#source.release(connection, broken);
    }
  }

  /** A caller's COMMIT or ROLLBACK would let what follows run without the transaction and what it holds. */
  async #runInTransaction(
    connection: PooledConnection,
    sql: string,
    params: unknown[] | undefined,
  ): Promise<pg.QueryResult> {
    if (this.#session.login === 'shared') return this.#run(connection, sql, params, this.#watch);
    const answer = this.#previous.then(() => this.#runWatched(connection, sql, params));
    this.#previous = answer.catch(() => undefined);
    return answer;
  }

  async #runWatched(
    connection: PooledConnection,
    sql: string,
    params: unknown[] | undefined,
  ): Promise<pg.QueryResult> {
    // While it waited, the transaction may have ended in any way, and the connection be lent to another one.
    if (this.#hasEnded || this.#held !== connection) throw endedByCaller();
    let answer: pg.QueryResult;
    try {
      answer = await this.#run(connection, sql, params, this.#watch);
    } catch (error) {
      // COMMIT and PREPARE TRANSACTION end it also when they fail. The answer to nothing tells, in any state.
      await connection.query('').catch(() => undefined);
      if (connection.getTransactionStatus() !== 'E' && connection.getTransactionStatus() !== 'T') {
        this.#end(connection);
      }
      throw error;
    }
    if (!(await this.#isSameTransaction(connection, answer.command))) {
      this.#end(connection);
      throw endedByCaller();
    }
    return answer;
  }

  /** Whether it was by COMMIT or by ROLLBACK is not asked: its connection is closed. */
  #end(connection: PooledConnection): void {
    this.#hasEnded = true;
    this.#broken = true;
    this.#watch?.committing();
    this.#watch?.unknown(processIdOf(connection));
    this.#watch = undefined;
  }

  async #isSameTransaction(connection: PooledConnection, command: string): Promise<boolean> {
    if (connection.getTransactionStatus() === 'I') return false;
    // What begins another one in its place (AND CHAIN) has these tags, and so has ROLLBACK TO a savepoint.
    if (command !== 'COMMIT' && command !== 'ROLLBACK') return true;
    const { rows } = await connection.query<BegunRow>(BEGUN_SQL);
    return rows[0]?.begunAt === this.#begunAt;
  }

  /** The statement goes out in the extended protocol always: there, one text cannot hold two statements. */
  #run(
    connection: PooledConnection,
    sql: string,
    params: unknown[] | undefined,
    watch: TransactionWatch | undefined,
    form: ResultForm = {},
  ): Promise<pg.QueryResult> {
    if (params === undefined || !this.#declared.has(params)) watch?.sending(sql, params ?? []);
    const config: pg.QueryConfig & { queryMode: 'extended' } = {
      text: sql,
      values: params ?? [],
      queryMode: 'extended',
      ...form,
    };
    return connection.query(config);
  }

  #leaveTransaction(): void {
    this.#watch?.undone();
    this.#watch = undefined;
    if (this.#held !== undefined) this.#source.release(this.#held, this.#broken);
    this.#held = undefined;
    this.isTransactionActive = false;
    this.transactionDepth = 0;
  }
}

function endedByCaller(): ScopeConflictError {
  return new ScopeConflictError(
    'The statement ended the transaction; leave COMMIT and ROLLBACK to gateway.transaction, and throw to undo.',
  );
}

/** What TypeORM's own runner makes of a driver's answer: UPDATE and DELETE also say how many rows. */
function toTypeormResult(raw: pg.QueryResult): QueryResult {
  const result = new QueryResult();
  result.records = raw.rows;
  if (raw.rowCount !== null) result.affected = raw.rowCount;
  result.raw = raw.command === 'UPDATE' || raw.command === 'DELETE' ? [raw.rows, raw.rowCount] : raw.rows;
  return result;
}
