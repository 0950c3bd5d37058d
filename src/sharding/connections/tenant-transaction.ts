import pg from 'pg';
import { GatewayError } from '../../common/gateway-error.js';
import type { ShardPosition } from '../../common/shard-position.js';
import type { SqlRow } from '../../common/sql-executor.js';
import type { ConnectionSource, PooledConnection } from './connection-pool.js';
import { isConnectionFailure, toQueryFailedError } from './failure.js';
import { PreparedTransaction } from './prepared-transaction.js';
import { sendGroup, type GroupedStatement, type NamedStatement } from './statement-group.js';
import type { ChangedRows, TenantSession, TransactionWatch } from './tenant-session.js';
import { commitWatched, processIdOf } from './watched-commit.js';

/** How a shared transaction begins, and what it is held to. */
export interface SharedSession extends Pick<TenantSession, 'tenantId' | 'actor' | 'watch'> {
  /** How long each of its statements waits for a lock, ms. */
  readonly lockTimeoutMs: number;
}

const BEGIN: NamedStatement = { name: 'shardgate_begin', text: 'BEGIN READ WRITE' };

/**
 * The tenant, for as long as the transaction lasts, and how it is planned. Its statements know the key of each row
 * that they are about: each is planned once and goes by index. Else a plan that was made while a table was nearly
 * empty would read all of it for ever, and one for a list or a document, which the planner takes for a hundred rows,
 * all of a tenant's.
 */
const SHARED_SCOPE: NamedStatement = {
  name: 'shardgate_shared_scope',
  text: `
    SELECT set_config('shardgate.tenant_id', $1, true), set_config('shardgate.actor', $2, true),
           set_config('lock_timeout', $3, true), set_config('plan_cache_mode', 'force_generic_plan', true),
           set_config('enable_seqscan', 'off', true), set_config('enable_bitmapscan', 'off', true),
           set_config('enable_hashjoin', 'off', true), set_config('enable_mergejoin', 'off', true),
           set_config('enable_material', 'off', true)`,
};

/**
 * One transaction of a tenant's whose statements go out at once, each behind the one before: what need not wait
 * for an answer takes no round trip of its own. It is for statements of the library, which say themselves what
 * they change. It ends with `commit` or `rollback`, once; when one statement has failed, only `rollback` is left.
 */
export class TenantTransaction {
  readonly #source: ConnectionSource;
  readonly #connection: PooledConnection;
  readonly #watch: TransactionWatch | undefined;
  /** Asked for in this turn, and sent at its end. */
  #waiting: GroupedStatement[] = [];
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
  static async begin(
    source: ConnectionSource,
    { tenantId, actor, watch, lockTimeoutMs }: SharedSession,
  ): Promise<TenantTransaction> {
    const transaction = new TenantTransaction(source, await source.acquire(), watch?.());
    // Should one fail, so does everything behind it.
    transaction.query(BEGIN, []).catch(ignore);
    transaction.query(SHARED_SCOPE, [tenantId, actor, `${lockTimeoutMs}ms`]).catch(ignore);
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

  /** Sends a statement that changes no rows, with the others of this turn; it may lock some. */
  query<Row extends SqlRow>(statement: NamedStatement, params: readonly unknown[]): Promise<Row[]> {
    return new Promise<SqlRow[]>((resolve, reject) => {
      if (this.#waiting.length === 0) {
        process.nextTick(() => {
          this.#sendWaiting();
        });
      }
      this.#waiting.push({
        ...statement,
        params,
        resolve,
        reject: (error) => {
          reject(this.#failed(error));
        },
      });
    }) as Promise<Row[]>;
  }

  /** Sends a statement that changes rows. @param changes every row that it may change */
  write<Row extends SqlRow>(
    statement: NamedStatement,
    params: readonly unknown[],
    changes: readonly ChangedRows[],
  ): Promise<Row[]> {
    this.#watch?.wrote(changes);
    return this.query<Row>(statement, params);
  }

  /** Keeps everything. When it rejects with the loss of the connection, nobody knows whether it was kept. */
  async commit(): Promise<void> {
    this.#sendWaiting();
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
    this.#sendWaiting();
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
    this.#sendWaiting();
    try {
      await this.#connection.query('ROLLBACK');
    } catch {
      this.#isBroken = true;
    }
    this.#watch?.undone();
    this.#end();
  }

  #sendWaiting(): void {
    if (this.#waiting.length === 0) return;
    const statements = this.#waiting;
    this.#waiting = [];
    sendGroup(this.#connection, statements);
  }

  #failed(error: unknown): Error {
    if (isConnectionFailure(error)) this.#isBroken = true;
    return safe(error);
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
