import { Socket } from 'node:net';
import pg from 'pg';
import { PoolExhaustedError } from '../../common/gateway-error.js';
import type { Log } from '../../common/log.js';
import type { SqlExecutor, SqlRow } from '../../common/sql-executor.js';
import { clientSettings, nodeGivenUp } from './client-settings.js';
import { isConnectionFailure } from './failure.js';
import { sendInOnePacket } from './one-packet.js';
import type { PoolOptions } from './pool-options.js';
import { readRowsHere } from './row-messages.js';
import { WaitingLine } from './waiting-line.js';

/** What pg-pool says when nobody gave a connection back in time; it has no code for it. */
const ACQUIRE_TIMED_OUT = 'timeout exceeded when trying to connect';

/** A connection lent by a {@link ConnectionPool}; give it back with `release`, broken or not. */
export type PooledConnection = pg.PoolClient;

/** Where a session gets its connections from, and gives them back to. */
export interface ConnectionSource {
  /** @throws PoolExhaustedError when none becomes free in time */
  acquire(): Promise<PooledConnection>;
  /** Takes a connection back. `broken` says that its state is unknown: it is closed, never lent again. */
  release(connection: PooledConnection, broken: boolean): void;
}

/** The connections to one node that are logged in as tenants. */
export interface ConnectionsByTenant {
  /** The connections of one tenant. */
  of(tenantId: string): ConnectionSource;
  /** Connections lent or waited for. */
  readonly inUse: number;
  /** How full they are, those of all tenants together. */
  readonly use: PoolUse;
  /** Closes all at once; statements under way fail. */
  cut(): void;
  /** Closes each as it comes back; resolves when all are closed. */
  end(): Promise<void>;
}

/** How full a pool is at this moment. */
export interface PoolUse {
  readonly open: number;
  readonly idle: number;
  /** Callers who wait for a connection. */
  readonly waiting: number;
  /** The most connections that it opens. */
  readonly limit: number;
}

/**
 * The connections to one node. They are pipelined: statements go out without waiting for the answer to the
 * one before, in order. A connection that broke, or outlived its time, is closed instead of being kept.
 */
export class ConnectionPool implements ConnectionSource, SqlExecutor {
  readonly nodeId: string;
  readonly #options: PoolOptions;
  readonly #pool: pg.Pool;
  readonly #expiresAt = new WeakMap<pg.PoolClient, number>();
  readonly #sockets = new Set<Socket>();
  readonly #connecting = new Set<(reason: Error) => void>();
  readonly #line: WaitingLine<PooledConnection>;
  readonly #max: number;
  /** Connections lent, and those that are being made to be lent. */
  #lent = 0;
  /** Lent connections that broke meanwhile. */
  readonly #broken = new WeakSet<pg.PoolClient>();

  constructor(nodeId: string, url: string, options: PoolOptions, log: Log) {
    this.nodeId = nodeId;
    this.#options = options;
    this.#max = options.size + options.overflow;
    this.#line = new WaitingLine(options.acquireTimeoutMs, () => this.#exhausted());
    const { connectTimeoutMs } = options;
    const openSocket = (): Socket => this.#openSocket();
    this.#pool = new pg.Pool({
      connectionString: url,
      ...clientSettings(options),
      min: options.size,
      max: this.#max,
      idleTimeoutMillis: options.idleTimeoutMs,
      connectionTimeoutMillis: options.acquireTimeoutMs,
      // Without this a pool would keep a command-line program alive until its connections time out.
      allowExitOnIdle: true,
      Client: class extends pg.Client {
        constructor(config?: pg.ClientConfig) {
          super({ ...config, pipeline: true, connectionTimeoutMillis: connectTimeoutMs, stream: openSocket });
          readRowsHere(this.connection);
          sendInOnePacket(this);
        }
      },
    });
    // An idle connection that breaks is dropped by the pool; without a listener it would end the process.
    this.#pool.on('error', (error) => {
      log.debug({ node: nodeId, reason: error.message }, 'an idle connection broke');
    });
    this.#pool.on('connect', (client) => {
      const ageMs = options.recycleMs * (1 - Math.random() / 10);
      this.#expiresAt.set(client, Date.now() + ageMs);
      // A lent connection reports its own loss through the statement that fails, if one is under way.
      client.on('error', () => this.#broken.add(client));
    });
  }

  /** How full the pool is. */
  get use(): PoolUse {
    return {
      open: this.#pool.totalCount,
      idle: this.#pool.idleCount,
      waiting: this.#line.length,
      limit: this.#max,
    };
  }

  /** Connections lent or waited for: how busy the node is, seen from this process. */
  get inUse(): number {
    return this.#lent + this.#line.length;
  }

  /**
   * Lends a connection.
   *
   * @throws PoolExhaustedError when none becomes free within `acquireTimeoutMs`
   */
  acquire(): Promise<PooledConnection> {
    if (this.#lent >= this.#max) return this.#line.wait();
    this.#lent += 1;
    return this.#lend();
  }

  /** Takes a connection back. `broken` says that its state is unknown: it is closed, never lent again. */
  release(connection: PooledConnection, broken: boolean): void {
    const isSpent =
      broken || this.#broken.has(connection) || Date.now() >= (this.#expiresAt.get(connection) ?? 0);
    if (!isSpent && this.#line.serve(connection)) return;
    connection.release(isSpent);
    if (!this.#line.serveLater(() => this.#lend())) this.#lent -= 1;
  }

  /** Runs one statement outside of any tenant's scope: for polls and settings of the server, never for rows. */
  async query<Row extends SqlRow = SqlRow>(sql: string, params: readonly unknown[] = []): Promise<Row[]> {
    const connection = await this.acquire();
    let broken = false;
    try {
      const result = await connection.query<Row>(sql, [...params]);
      return result.rows;
    } catch (error) {
      broken = isConnectionFailure(error);
      throw error;
    } finally {
      this.release(connection, broken);
    }
  }

  /**
   * Gives up on the node: every connection is closed at once, and whatever waits for an answer or a
   * connection fails as if the server had gone away. The next caller connects anew.
   */
  cut(): void {
    const connecting = [...this.#connecting];
    this.#connecting.clear();
    for (const reject of connecting) reject(nodeGivenUp());
    this.#line.rejectAll(nodeGivenUp());
    for (const socket of this.#sockets) socket.destroy(nodeGivenUp());
  }

  /** Closes every connection as it comes back; resolves when all are closed. */
  async end(): Promise<void> {
    this.#line.rejectAll(new Error(`The connections to ${this.nodeId} are being closed.`));
    await this.#pool.end();
  }

  /** For a caller who is counted as lent to already. */
  async #lend(): Promise<PooledConnection> {
    try {
      // Nobody waits for one that is idle, so there is nobody to tell of a cut.
      return await (this.#pool.idleCount > 0 ? this.#pool.connect() : this.#connect());
    } catch (error) {
      if (!this.#line.serveLater(() => this.#lend())) this.#lent -= 1;
      throw error instanceof Error && error.message === ACQUIRE_TIMED_OUT ? this.#exhausted() : error;
    }
  }

  /** A new connection, unless the node is given up before it is there. */
  async #connect(): Promise<PooledConnection> {
    const connecting = this.#pool.connect();
    let giveUp: (reason: Error) => void = ignore;
    const cut = new Promise<never>((_, reject) => {
      giveUp = reject;
    });
    this.#connecting.add(giveUp);
    try {
      return await Promise.race([connecting, cut]);
    } catch (error) {
      // Nobody waits for it any more once the node was cut.
      connecting.then((late) => {
        late.release(true);
      }, ignore);
      throw error;
    } finally {
      this.#connecting.delete(giveUp);
    }
  }

  #exhausted(): PoolExhaustedError {
    return new PoolExhaustedError(this.nodeId, this.#options.acquireTimeoutMs);
  }

  #openSocket(): Socket {
    const socket = new Socket();
    this.#sockets.add(socket);
    socket.once('close', () => this.#sockets.delete(socket));
    return socket;
  }
}

function ignore(): void {
  // Whoever waits for a statement or a connection hears of it there.
}
