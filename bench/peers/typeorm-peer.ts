import { DataSource, type Repository } from 'typeorm';
import { Account } from '../../src/modules/accounts/account.js';
import { LedgerTransaction } from '../../src/modules/accounts/ledger/ledger-transaction.js';

/** TypeORM by itself: the same entity classes on a data source of its own. */
export class TypeormPeer {
  readonly #dataSource: DataSource;
  readonly #accounts: Repository<Account>;
  readonly #transactions: Repository<LedgerTransaction>;

  private constructor(dataSource: DataSource) {
    this.#dataSource = dataSource;
    this.#accounts = dataSource.getRepository(Account);
    this.#transactions = dataSource.getRepository(LedgerTransaction);
  }

  /** @param connections how many its pool may open */
  static async open(url: string, connections: number): Promise<TypeormPeer> {
    const dataSource = new DataSource({
      type: 'postgres',
      url,
      poolSize: connections,
      entities: [Account, LedgerTransaction],
      installExtensions: false,
    });
    return new TypeormPeer(await dataSource.initialize());
  }

  /** An account by its key. */
  account(tenantId: string, id: string): Promise<Account | null> {
    return this.#accounts.findOneBy({ tenantId, id });
  }

  /** An account's newest transactions. */
  transactions(tenantId: string, accountId: string, limit: number): Promise<LedgerTransaction[]> {
    return this.#transactions.find({
      where: { tenantId, accountId },
      order: { executedAt: 'DESC', accountVersion: 'DESC' },
      take: limit,
    });
  }

  /** Closes its connections. */
  close(): Promise<void> {
    return this.#dataSource.destroy();
  }
}
