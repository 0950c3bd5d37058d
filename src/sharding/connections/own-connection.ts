import { Socket } from 'node:net';
import pg from 'pg';
import type { SqlExecutor, SqlRow } from '../../common/sql-executor.js';
import { isConnectionFailure } from './failure.js';

/** How patient an {@link OwnConnection} is, milliseconds. */
export interface OwnConnectionOptions {
  /** Shown in `pg_stat_activity`. */
  readonly name: string;
  /** How long connecting, or one answer, may take before the connection is given up. */
  readonly answerMs: number;
  /** How long a statement waits for a lock. */
  readonly lockMs: number;
}

/**
 * One connection with the gateway's own login, beside the pool: full pools, which may be full because of what has
 * to be mended, are not in its way. It is made when it is needed, and anew when it broke. Statements go out at
 * once, in order.
 */
export class OwnConnection implements SqlExecutor {
  readonly #url: string;
  readonly #options: OwnConnectionOptions;
  #client: Promise<pg.Client> | undefined;
  #socket: Socket | undefined;
  #isClosed = false;

  constructor(url: string, options: OwnConnectionOptions) {
    this.#url = url;
    this.#options = options;
  }

  async query<Row extends SqlRow = SqlRow>(sql: string, params: readonly unknown[] = []): Promise<Row[]> {
    const client = (this.#client ??= this.#open());
    try {
      return (await (await client).query<Row>(sql, [...params])).rows;
    } catch (error) {
      if (isConnectionFailure(error) && this.#client === client) this.#drop();
      throw error;
    }
  }

  /** Closes it at once and for good; what is under way fails, and what is asked later. */
  close(): void {
    this.#isClosed = true;
    this.#drop();
  }

  #drop(): void {
    this.#socket?.destroy();
    this.#socket = undefined;
    this.#client = undefined;
  }

  async #open(): Promise<pg.Client> {
    if (this.#isClosed) throw new Error('The connection was closed.');
    const { name, answerMs, lockMs } = this.#options;
    const socket = new Socket();
    this.#socket = socket;
    const client = new pg.Client({
      connectionString: this.#url,
      application_name: name,
      connectionTimeoutMillis: answerMs,
      query_timeout: answerMs,
      lock_timeout: lockMs,
      keepAlive: true,
      pipeline: true,
      stream: () => socket,
    });
    client.on('error', () => {
      // Told by the next statement, which fails.
    });
    client.once('end', () => {
      if (this.#socket === socket) this.#drop();
    });
    try {
      await client.connect();
    } catch (error) {
      socket.destroy();
      // It is tried again by the next statement.
      if (this.#socket === socket) this.#drop();
      throw error;
    }
    // Between two statements it keeps no program from ending.
    socket.unref();
    return client;
  }
}
