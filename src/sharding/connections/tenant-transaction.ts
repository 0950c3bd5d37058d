import { GatewayError } from '../../common/gateway-error.js';
import type { SqlRow } from '../../common/sql-executor.js';
import { beginSql } from './begin-sql.js';
import type { ConnectionSource, PooledConnection } from './connection-pool.js';
import { isConnectionFailure, toQueryFailedError } from './failure.js';
import type { ChangedRows, TenantSession, TransactionWatch } from './tenant-session.js';
import { commitWatched } from './watched-commit.js';

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

  private constructor(source: ConnectionSource, connection: PooledConnection, session: TenantSession) {
    this.#source = source;
    this.#connection = connection;
    this.#watch = session.watch?.();
    // Should it fail, so does everything behind it.
    this.#send(beginSql(session)).catch(ignore);
  }

  /**
   * Takes a connection and begins on it, without waiting for the server.
   *
   * @throws PoolExhaustedError when no connection becomes free in time
   */
  static async begin(source: ConnectionSource, session: TenantSession): Promise<TenantTransaction> {
    return new TenantTransaction(source, await source.acquire(), session);
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
