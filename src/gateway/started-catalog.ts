import type { SqlExecutor, SqlRow } from '../common/sql-executor.js';
import type { CatalogDatabase, CatalogTopic } from '../sharding/connections/catalog-database.js';
import type { PoolUse } from '../sharding/connections/connection-pool.js';
import type { CatalogStart } from './catalog-start.js';

/**
 * The catalog for everybody but the gateway's own start: its tables need not be there, or be this
 * installation's, before that is done.
 */
export class StartedCatalog implements SqlExecutor {
  readonly #database: CatalogDatabase;
  readonly #start: CatalogStart;

  constructor(database: CatalogDatabase, start: CatalogStart) {
    this.#database = database;
    this.#start = start;
  }

  /** How full its pool is. */
  get pool(): PoolUse {
    return this.#database.pool;
  }

  /** Runs one statement. @throws GatewayError `catalog_unavailable` when it is away, or not started with yet */
  async query<Row extends SqlRow = SqlRow>(sql: string, params?: readonly unknown[]): Promise<Row[]> {
    this.#start.assertDone();
    return this.#database.query<Row>(sql, params);
  }

  /** Calls `listener` after each change of this topic, and whenever one may have been missed. */
  onChange(topic: CatalogTopic, listener: () => void): void {
    this.#database.onChange(topic, listener);
  }
}
