import { and, desc, eq, sql } from 'drizzle-orm';
import { drizzle } from 'drizzle-orm/node-postgres';
import pg from 'pg';
import { accounts, transactions } from './drizzle-tables.js';

/** Drizzle with statements prepared once. */
export class DrizzlePeer {
  readonly #pool: pg.Pool;
  readonly #account: ReturnType<typeof prepareAccount>;
  readonly #transactions: ReturnType<typeof prepareTransactions>;

  /** @param connections how many its pool may open */
  constructor(url: string, connections: number) {
    this.#pool = new pg.Pool({ connectionString: url, max: connections });
    this.#account = prepareAccount(this.#pool);
    this.#transactions = prepareTransactions(this.#pool);
  }

  /** An account by its key. */
  async account(tenantId: string, id: string) {
    const [account] = await this.#account.execute({ tenantId, id });
    return account;
  }

  /** An account's newest transactions. */
  transactions(tenantId: string, accountId: string, limit: number) {
    return this.#transactions.execute({ tenantId, accountId, limit });
  }

  /** Closes its connections. */
  close(): Promise<void> {
    return this.#pool.end();
  }
}

function prepareAccount(pool: pg.Pool) {
  const { tenantId, id } = accounts;
  return drizzle(pool)
    .select()
    .from(accounts)
    .where(and(eq(tenantId, sql.placeholder('tenantId')), eq(id, sql.placeholder('id'))))
    .prepare('account');
}

function prepareTransactions(pool: pg.Pool) {
  const { tenantId, accountId, executedAt, accountVersion } = transactions;
  return drizzle(pool)
    .select()
    .from(transactions)
    .where(and(eq(tenantId, sql.placeholder('tenantId')), eq(accountId, sql.placeholder('accountId'))))
    .orderBy(desc(executedAt), desc(accountVersion))
    .limit(sql.placeholder('limit'))
    .prepare('transactions');
}
