import { runAsAdmin } from '../own-databases.js';

const TRANSFERS_SQL = `
  SELECT id, status, from_account_id AS "fromAccountId", to_account_id AS "toAccountId", amount::text,
         posted_amount::text AS "postedAmount"
  FROM finance.transfers`;
const ACCOUNTS_SQL = `SELECT id, balance::text, held::text FROM finance.accounts WHERE kind = 'USER'`;
const KEYS_SQL = 'SELECT key FROM shardgate.idempotency_keys';
const PREPARED_SQL = 'SELECT gid FROM pg_prepared_xacts';

/** A transfer as it is in the database. */
export interface LedgerTransfer {
  readonly id: string;
  readonly status: string;
  readonly fromAccountId: string;
  readonly toAccountId: string;
  readonly amount: string;
  readonly postedAmount: string | null;
}

/** An account as it is in the database. */
export interface LedgerAccount {
  readonly id: string;
  readonly balance: string;
  readonly held: string;
}

/** What the primaries hold, past every gateway. */
export class BankLedger {
  readonly #adminUrls: readonly string[];

  constructor(adminUrls: readonly string[]) {
    this.#adminUrls = adminUrls;
  }

  transfers(): Promise<LedgerTransfer[]> {
    return this.#rows<LedgerTransfer>(TRANSFERS_SQL);
  }

  accounts(): Promise<LedgerAccount[]> {
    return this.#rows<LedgerAccount>(ACCOUNTS_SQL);
  }

  /** The idempotency keys of all requests whose outcome is decided. */
  async keys(): Promise<Set<string>> {
    return new Set((await this.#rows<{ key: string }>(KEYS_SQL)).map(({ key }) => key));
  }

  /** The names of prepared transactions. */
  async prepared(): Promise<string[]> {
    return (await this.#rows<{ gid: string }>(PREPARED_SQL)).map(({ gid }) => gid);
  }

  async #rows<Row>(sql: string): Promise<Row[]> {
    const answers = await Promise.all(this.#adminUrls.map((url) => runAsAdmin(url, sql)));
    return answers.flatMap(({ rows }) => rows as Row[]);
  }
}
