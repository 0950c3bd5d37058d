import pg from 'pg';

/** A row of `finance.accounts` as the driver gives it: amounts and bigints as text. */
export interface PlainAccount {
  readonly id: string;
  readonly balance: string;
}

/** A row of `finance.transactions` as the driver gives it. */
export interface PlainTransaction {
  readonly account_id: string;
  readonly account_version: string;
  readonly amount: string;
}

const ACCOUNT_SQL = `
  SELECT tenant_id, id, user_id, bucket, kind, account_number, currency, balance, held, overdraft_limit,
         status, version, created_at, updated_at
  FROM finance.accounts WHERE tenant_id = $1 AND id = $2`;
const TRANSACTIONS_SQL = `
  SELECT tenant_id, id, user_id, bucket, account_id, type, status, amount, balance_after, account_version,
         posting_id, transfer_id, reference, actor, executed_at
  FROM finance.transactions WHERE tenant_id = $1 AND account_id = $2
  ORDER BY executed_at DESC, account_version DESC LIMIT $3`;

/** The bare driver: a pool, statements that each connection prepares once, rows as they come. */
export class PgPeer {
  readonly #pool: pg.Pool;

  /** @param connections how many the pool may open */
  constructor(url: string, connections: number) {
    this.#pool = new pg.Pool({ connectionString: url, max: connections });
  }

  /** An account by its key. */
  async account(tenantId: string, id: string): Promise<PlainAccount | undefined> {
    const values = [tenantId, id];
    const { rows } = await this.#pool.query<PlainAccount>({ name: 'account', text: ACCOUNT_SQL, values });
    return rows[0];
  }

  /** An account's newest transactions. */
  async transactions(tenantId: string, accountId: string, limit: number): Promise<PlainTransaction[]> {
    const values = [tenantId, accountId, limit];
    const query = { name: 'transactions', text: TRANSACTIONS_SQL, values };
    const { rows } = await this.#pool.query<PlainTransaction>(query);
    return rows;
  }

  /** Closes its connections. */
  close(): Promise<void> {
    return this.#pool.end();
  }
}
