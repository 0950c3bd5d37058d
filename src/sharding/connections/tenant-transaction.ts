import pg from 'pg';
import { GatewayError } from '../../common/gateway-error.js';
import type { ShardPosition } from '../../common/shard-position.js';
import type { SqlRow } from '../../common/sql-executor.js';
import { beginSql } from './begin-sql.js';
import type { ConnectionSource, PooledConnection } from './connection-pool.js';
import { isConnectionFailure, toQueryFailedError } from './failure.js';
import { PreparedTransaction } from './prepared-transaction.js';
import type { ChangedRows, TenantSession, TransactionWatch } from './tenant-session.js';
import { commitWatched, processIdOf } from './watched-commit.js';

/** A statement of the library's own, which each connection parses once and then runs by its name. */
export interface NamedStatement {
  /** Unique in this process. */
  readonly name: string;
  readonly text: string;
}

/**
 * One transaction of a tenant's whose statements go out at once, each behind the one before: what need not wait
 * for an answer takes no round trip of its own. It is for statements of the library, which say themselves what
 * they change. It ends with `commit` or `rollback`, once; when one statement has failed, only `rollback` is left.
 */
export class TenantTransaction {
  readonly #source: ConnectionSource;
  readonly #connection: PooledConnection;
  readonly #watch: TransactionWatch | undefined;
  #isBroken = false;
  #hasEnded = false;

  private constructor(
    source: ConnectionSource,
    connection: PooledConnection,
    watch: TransactionWatch | undefined,
  ) {
    this.#source = source;
    this.#connection = connection;
    this.#watch = watch;
  }

  /**
   * Takes a connection and begins on it, without waiting for the server.
   *
   * @throws PoolExhaustedError when no connection becomes free in time
   */
  static async begin(source: ConnectionSource, session: TenantSession): Promise<TenantTransaction> {
    const transaction = new TenantTransaction(source, await source.acquire(), session.watch?.());
    // Should it fail, so does everything behind it.
    transaction.#send(beginSql(session)).catch(ignore);
    return transaction;
  }

  /** Takes over one that was begun on this connection, with who follows it. */
  static takeOver(
    source: ConnectionSource,
    connection: PooledConnection,
    watch: TransactionWatch | undefined,
  ): TenantTransaction {
    return new TenantTransaction(source, connection, watch);
  }

  /** Sends a statement that changes no rows; it may lock some. */
  query<Row extends SqlRow>(statement: NamedStatement, values: readonly unknown[]): Promise<Row[]> {
    return this.#send<Row>({ ...statement, values: [...values] });
  }

  /** Sends a statement that changes rows. @param changes every row that it may change */
  write<Row extends SqlRow>(
    statement: NamedStatement,
    values: readonly unknown[],
    changes: readonly ChangedRows[],
  ): Promise<Row[]> {
    this.#watch?.wrote(changes);
    return this.query<Row>(statement, values);
  }

  /** Keeps everything. When it rejects with the loss of the connection, nobody knows whether it was kept. */
  async commit(): Promise<void> {
    try {
      await commitWatched(this.#connection, this.#watch);
    } catch (error) {
      this.#isBroken = true;
      throw safe(error);
    } finally {
      this.#end();
    }
  }

  /**
   * Says that a commit was kept whose outcome had been lost.
   *
   * @param position behind it
   */
  foundCommitted(position: Omit<ShardPosition, 'shardId'>): void {
    this.#watch?.committed(position);
  }

  /**
   * Prepares everything to be committed or rolled back, also if this process or the server ends meanwhile; until
   * then it holds its locks. It ends this transaction as `commit` does. When it rejects with the loss of the
   * connection, nobody knows whether it is prepared; otherwise nothing was kept.
   *
   * @param gid under which it can be finished, by whoever has the same login; under 200 bytes
   */
  async prepare(gid: string): Promise<PreparedTransaction> {
    this.#watch?.preparing();
    try {
      const { command } = await this.#connection.query(`PREPARE TRANSACTION ${pg.escapeLiteral(gid)}`);
      // For a transaction that has failed it succeeds, with this tag, and keeps nothing.
      if (command !== 'PREPARE')
        throw new Error('The transaction had failed before; nothing of it was kept.');
    } catch (error) {
      if (isConnectionFailure(error)) {
        this.#isBroken = true;
        this.#watch?.unknown(processIdOf(this.#connection), gid);
      } else {
        this.#watch?.undone();
      }
      this.#end();
      throw safe(error);
    }
    this.#hasEnded = true;
    return new PreparedTransaction(gid, this.#source, this.#connection, this.#watch);
  }

  /** Undoes everything. Never rejects: where the server cannot be told, the end of the connection tells it. */
  async rollback(): Promise<void> {
    if (this.#hasEnded) return;
    try {
      await this.#connection.query('ROLLBACK');
    } catch {
      this.#isBroken = true;
    }
    this.#watch?.undone();
    this.#end();
  }

  async #send<Row extends SqlRow>(
    query: string | { readonly text: string; readonly name: string; readonly values: unknown[] },
  ): Promise<Row[]> {
    try {
      return (await this.#connection.query<Row>(query as string)).rows;
    } catch (error) {
      if (isConnectionFailure(error)) this.#isBroken = true;
      throw safe(error);
    }
  }

  #end(): void {
    this.#hasEnded = true;
    this.#source.release(this.#connection, this.#isBroken);
  }
}

function safe(error: unknown): Error {
  return error instanceof GatewayError ? error : toQueryFailedError(error);
}

function ignore(): void {
  // Told by what comes behind it.
}
