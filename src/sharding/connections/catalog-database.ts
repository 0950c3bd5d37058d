import pg from 'pg';
import { CatalogUnavailableError } from '../../common/gateway-error.js';
import type { Log } from '../../common/log.js';
import type { SqlExecutor, SqlRow } from '../../common/sql-executor.js';
import { ConnectionPool } from './connection-pool.js';
import { isConnectionFailure } from './failure.js';
import type { PoolOptions } from './pool-options.js';

/** What changed in the catalog, as its triggers and statements name it. */
export type CatalogTopic = 'shard_map' | 'tenants';

const CHANNEL = 'shardgate_catalog';
const RECONNECT_MS_MIN = 100;
const RECONNECT_MS_MAX = 5_000;

/** A few connections suffice: the catalog is read at start and when something in it changes. */
const CATALOG_POOL_SIZE = { size: 2, overflow: 2 };

/**
 * The catalog: installation, shard map, tenants, keys. Beside its statements it tells of changes as
 * PostgreSQL notifies them, and after each reconnect, since a notice may have been lost meanwhile.
 */
export class CatalogDatabase implements SqlExecutor {
  readonly #url: string;
  readonly #pool: ConnectionPool;
  readonly #log: Log;
  readonly #listeners = new Map<CatalogTopic, () => void>();
  #listening: pg.Client | undefined;
  #reconnect: NodeJS.Timeout | undefined;
  #reconnectMs = RECONNECT_MS_MIN;
  #closed = false;

  constructor(url: string, pool: PoolOptions, log: Log) {
    this.#url = url;
    this.#log = log;
    this.#pool = new ConnectionPool('catalog', url, { ...pool, ...CATALOG_POOL_SIZE }, log);
  }

  /** Runs one statement. @throws CatalogUnavailableError when the catalog cannot be reached */
  async query<Row extends SqlRow = SqlRow>(sql: string, params?: readonly unknown[]): Promise<Row[]> {
    try {
      return await this.#pool.query<Row>(sql, params);
    } catch (error) {
      throw isConnectionFailure(error) ? new CatalogUnavailableError(error) : error;
    }
  }

  /** Calls `listener` after each change of this topic, and whenever one may have been missed. */
  onChange(topic: CatalogTopic, listener: () => void): void {
    this.#listeners.set(topic, listener);
  }

  /** Starts to listen; while the catalog is away it goes on trying, and never fails. */
  async listen(): Promise<void> {
    const client = new pg.Client({
      connectionString: this.#url,
      application_name: 'shardgate-listen',
      connectionTimeoutMillis: RECONNECT_MS_MAX,
      keepAlive: true,
    });
    client.on('error', () => {
      // The 'end' that follows starts the next attempt.
    });
    client.on('end', () => {
      this.#listenAgainLater();
    });
    client.on('notification', ({ payload }) => {
      if (payload === 'shard_map' || payload === 'tenants') this.#listeners.get(payload)?.();
    });
    this.#listening = client;
    try {
      await client.connect();
      await client.query(`LISTEN ${CHANNEL}`);
      this.#reconnectMs = RECONNECT_MS_MIN;
      for (const listener of this.#listeners.values()) listener();
    } catch (error) {
      this.#log.warn({ reason: error instanceof Error ? error.message : 'unknown' }, 'the catalog is away');
      await client.end().catch(() => undefined);
      this.#listenAgainLater();
    }
  }

  /** Stops listening and closes every connection. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#reconnect);
    await this.#listening?.end().catch(() => undefined);
    await this.#pool.end();
  }

  #listenAgainLater(): void {
    if (this.#closed) return;
    clearTimeout(this.#reconnect);
    this.#reconnect = setTimeout(() => void this.listen(), this.#reconnectMs);
    this.#reconnect.unref();
    this.#reconnectMs = Math.min(this.#reconnectMs * 2, RECONNECT_MS_MAX);
  }
}
