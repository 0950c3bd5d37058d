import { CatalogUnavailableError, PoolExhaustedError } from '../../common/gateway-error.js';
import type { Log } from '../../common/log.js';
import { settledWithin } from '../../common/settled-within.js';
import type { SqlExecutor, SqlRow } from '../../common/sql-executor.js';
import { CatalogListener } from './catalog-listener.js';
import { ConnectionPool, type PoolUse } from './connection-pool.js';
import { isConnectionFailure, sqlStateOf } from './failure.js';
import type { PoolOptions } from './pool-options.js';

/** What changed in the catalog, as its triggers and statements name it. */
export type CatalogTopic = 'shard_map' | 'tenants';

const TOPICS: readonly CatalogTopic[] = ['shard_map', 'tenants'];

/** A few connections suffice: the catalog is read at start and when something in it changes. */
const CATALOG_POOL_SIZE = { size: 2, overflow: 2 };

/** Statements here are small. One that takes longer found a server that hangs. */
const STATEMENT_DEADLINE_MS = 5_000;

/** Less than the deadline: a statement that is slow, as behind a lock, ends alone and takes no other along. */
const STEP_TIMEOUT_MS = 4_000;

const QUERY_CANCELED = '57014';

/** How long statements under way may take to finish when the connections are to be closed. */
const CLOSE_TIMEOUT_MS = 5_000;

/**
 * The catalog: installation, shard map, tenants, keys. Beside its statements it tells of changes as
 * PostgreSQL notifies them, and after each reconnect, since a notice may have been lost meanwhile.
 */
export class CatalogDatabase implements SqlExecutor {
  readonly #pool: ConnectionPool;
  readonly #listener: CatalogListener;
  readonly #log: Log;
  readonly #onChange = new Map<CatalogTopic, () => void>();

  constructor(url: string, pool: PoolOptions, log: Log) {
    this.#log = log;
    const options = {
      ...pool,
      ...CATALOG_POOL_SIZE,
      acquireTimeoutMs: Math.min(pool.acquireTimeoutMs, STEP_TIMEOUT_MS),
      connectTimeoutMs: Math.min(pool.connectTimeoutMs, STEP_TIMEOUT_MS),
      statementTimeoutMs: Math.min(pool.statementTimeoutMs, STEP_TIMEOUT_MS),
    };
    this.#pool = new ConnectionPool('catalog', url, options, log);
    const hooks = {
      onNotice: (payload: string) => {
        for (const topic of TOPICS) if (payload === topic) this.#onChange.get(topic)?.();
      },
      onListening: () => {
        for (const listener of this.#onChange.values()) listener();
      },
      onSilence: () => {
        this.cut();
      },
    };
    this.#listener = new CatalogListener(url, hooks, log);
  }

  /**
   * Runs one statement. One that changes something may have done so although it failed: its answer can be
   * what was lost.
   *
   * @throws CatalogUnavailableError when the catalog cannot be reached, or has not answered within 5 s
   */
  async query<Row extends SqlRow = SqlRow>(sql: string, params?: readonly unknown[]): Promise<Row[]> {
    const watchdog = setTimeout(() => {
      this.#log.warn(
        { deadlineMs: STATEMENT_DEADLINE_MS },
        'the catalog does not answer; its connections are cut',
      );
      this.cut();
    }, STATEMENT_DEADLINE_MS);
    try {
      return await this.#pool.query<Row>(sql, params);
    } catch (error) {
      throw isAway(error) ? new CatalogUnavailableError(error) : error;
    } finally {
      clearTimeout(watchdog);
    }
  }

  /** How full its pool is. */
  get pool(): PoolUse {
    return this.#pool.use;
  }

  /** Calls `listener` after each change of this topic, and whenever one may have been missed. */
  onChange(topic: CatalogTopic, listener: () => void): void {
    this.#onChange.set(topic, listener);
  }

  /** Starts to listen; while the catalog is away it goes on trying, and never fails. */
  async listen(): Promise<void> {
    await this.#listener.connect();
  }

  /** Closes every connection at once; statements under way fail as if the server had gone away. */
  cut(): void {
    this.#pool.cut();
  }

  /** Stops listening and closes every connection; statements under way have 5 s to finish. */
  async close(): Promise<void> {
    this.#listener.close();
    const ended = this.#pool.end();
    await settledWithin(ended, CLOSE_TIMEOUT_MS);
    // A server that hangs does not answer a goodbye either, and its open sockets would keep the process.
    this.cut();
    await ended;
  }
}

function isAway(error: unknown): boolean {
  return (
    isConnectionFailure(error) || error instanceof PoolExhaustedError || sqlStateOf(error) === QUERY_CANCELED
  );
}
