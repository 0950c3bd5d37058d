import { DataSource, type Repository } from 'typeorm';
import { Account } from '../../src/modules/accounts/account.js';
import { LedgerTransaction } from '../../src/modules/accounts/ledger/ledger-transaction.js';

/** Of the cache's table; the entities name theirs. */
const SCHEMA = 'bench_typeorm';

/** Longer than any run, ms. */
const TTL_MS = 3_600_000;

/** TypeORM looks for the whole statement's text, and makes no index for that: without one it would get slower by the row. */
const INDEX_SQL = `CREATE INDEX ON ${SCHEMA}."query-result-cache" USING hash (query)`;

/** TypeORM with its own query-result cache, in a table of the database that it reads. */
export class TypeormCachePeer {
  readonly #dataSource: DataSource;
  readonly #accounts: Repository<Account>;
  readonly #transactions: Repository<LedgerTransaction>;

  private constructor(dataSource: DataSource) {
    this.#dataSource = dataSource;
    this.#accounts = dataSource.getRepository(Account);
    this.#transactions = dataSource.getRepository(LedgerTransaction);
  }

  /**
   * @param url of a primary: the cache is written
   * @param connections how many its pool may open
   */
  static async open(url: string, connections: number): Promise<TypeormCachePeer> {
    const dataSource = await new DataSource({
      type: 'postgres',
      url,
      poolSize: connections,
      schema: SCHEMA,
      entities: [Account, LedgerTransaction],
      installExtensions: false,
      cache: { type: 'database', duration: TTL_MS },
    }).initialize();
    await dataSource.query(`DROP SCHEMA IF EXISTS ${SCHEMA} CASCADE`);
    await dataSource.query(`CREATE SCHEMA ${SCHEMA}`);
    const queryRunner = dataSource.createQueryRunner();
    await dataSource.queryResultCache?.synchronize(queryRunner);
    await queryRunner.release();
    await dataSource.query(INDEX_SQL);
    return new TypeormCachePeer(dataSource);
  }

  /** An account by its key. */
  account(tenantId: string, id: string): Promise<Account | null> {
    return this.#accounts.findOne({ where: { tenantId, id }, cache: true });
  }

  /** An account's newest transactions. */
  transactions(tenantId: string, accountId: string, limit: number): Promise<LedgerTransaction[]> {
    return this.#transactions.find({
      where: { tenantId, accountId },
      order: { executedAt: 'DESC', accountVersion: 'DESC' },
      take: limit,
      cache: true,
    });
  }

  /** Removes its cache and closes its connections. */
  async close(): Promise<void> {
    await this.#dataSource.query(`DROP SCHEMA IF EXISTS ${SCHEMA} CASCADE`);
    await this.#dataSource.destroy();
  }
}
