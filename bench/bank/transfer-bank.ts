import { Decimal } from 'decimal.js';
import pg from 'pg';
import type { BenchSite } from '../harness/bench-site.js';
import { WrongAnswerError } from '../harness/wrong-answer.js';
import { AccountMaker } from './account-maker.js';
import type { BenchAccount } from './bench-account.js';
import { insertAccounts } from './load-bank.js';

const TIDY_SQL = 'VACUUM (FREEZE, ANALYZE) finance.accounts';

/** What each transfer moves: so little that no account runs out of money. */
export const TRANSFER_AMOUNT = '0.01';

/** Else the planner takes the tables for as empty as they were. */
const ANALYZE_SQL =
  'ANALYZE finance.accounts, finance.transactions, finance.transfers, shardgate.idempotency_keys';

const SUM_SQL = 'SELECT sum(balance)::text AS sum FROM finance.accounts WHERE tenant_id = $1';

/** Rows on one shard by who asked for them; a transfer's debit and key are where it is. */
const COUNTS_SQL = `
  SELECT transfer.actor, count(*)::int AS transfers, count(debit.id)::int AS debits, count(kept.key)::int AS keys
  FROM finance.transfers AS transfer
  LEFT JOIN finance.transactions AS debit
    ON debit.tenant_id = transfer.tenant_id AND debit.id = transfer.debit_id AND debit.transfer_id = transfer.id
      AND debit.account_id = transfer.from_account_id AND debit.amount = -transfer.amount
  LEFT JOIN shardgate.idempotency_keys AS kept
    ON kept.tenant_id = transfer.tenant_id AND kept.user_id = transfer.user_id AND kept.status = 201
      AND kept.key = transfer.reference
  WHERE transfer.tenant_id = $1 AND transfer.status = 'COMPLETED' AND transfer.amount = $2::numeric
  GROUP BY transfer.actor`;

const CREDITS_SQL = `
  SELECT count(*)::int AS credits FROM finance.transactions
  WHERE tenant_id = $1 AND status = 'COMPLETED' AND amount = $2::numeric`;

/** Entries that do not follow from the one before by balance and version, and accounts that do not end at their last. */
const BROKEN_SQL = `
  SELECT count(*)::int AS broken FROM (
    SELECT entry.amount, entry.balance_after, entry.account_version, account.balance, account.version,
           lag(balance_after) OVER chain AS balance_before, lag(account_version, 1, 1::bigint) OVER chain AS version_before,
           lead(account_version) OVER chain AS version_behind
    FROM finance.transactions AS entry
    JOIN finance.accounts AS account ON account.tenant_id = entry.tenant_id AND account.id = entry.account_id
    WHERE entry.tenant_id = $1
    WINDOW chain AS (PARTITION BY entry.account_id ORDER BY entry.account_version)
  ) AS entries
  WHERE balance_after - amount <> balance_before OR account_version <> version_before + 1
    OR (version_behind IS NULL AND (balance_after <> balance OR account_version <> version))`;

interface CountRow {
  readonly actor: string;
  readonly transfers: number;
  readonly debits: number;
  readonly keys: number;
}

/** Accounts of a tenant of its own, between which money is moved, and what must be true of them afterwards. */
export class TransferBank {
  readonly tenantId: string;
  readonly #site: BenchSite;
  readonly #accounts: ReadonlyMap<string, readonly BenchAccount[]>;
  readonly #accepted = new Map<string, number>();

  private constructor(
    tenantId: string,
    site: BenchSite,
    accounts: ReadonlyMap<string, readonly BenchAccount[]>,
  ) {
    this.tenantId = tenantId;
    this.#site = site;
    this.#accounts = accounts;
  }

  /** Writes as many accounts of a new tenant to each of these shards. */
  static async load(
    site: BenchSite,
    { tenantId, shardIds, perShard }: { tenantId: string; shardIds: readonly string[]; perShard: number },
  ): Promise<TransferBank> {
    const maker = await AccountMaker.of(site.shardIds);
    const accounts = new Map<string, BenchAccount[]>(shardIds.map((shardId) => [shardId, []]));
    const isFull = (): boolean => [...accounts.values()].every(({ length }) => length >= perShard);
    for (let number = 1; !isFull(); number += 1) {
      const { shardId, account } = maker.make(tenantId, number);
      const those = accounts.get(shardId);
      if (those !== undefined && those.length < perShard) those.push(account);
    }
    const bank = new TransferBank(tenantId, site, accounts);
    await bank.#onEach(async (client, shardId) => {
      await insertAccounts(client, bank.accounts(shardId));
      await client.query(TIDY_SQL);
    });
    return bank;
  }

  /** The accounts on a shard. */
  accounts(shardId: string): readonly BenchAccount[] {
    return this.#accounts.get(shardId) ?? [];
  }

  /** Notes that transfers of this actor were answered as done. */
  noteAccepted(actor: string, transfers = 1): void {
    this.#accepted.set(actor, (this.#accepted.get(actor) ?? 0) + transfers);
  }

  /**
   * Looks at everything that was written: nothing may be under way.
   *
   * @throws WrongAnswerError unless each transfer that was accepted is there with its two entries and its key, no
   *   others are, all money is still there, and the entries of each account follow from each other
   */
  async verify(): Promise<void> {
    let sum = new Decimal(0);
    let credits = 0;
    const found = new Map<string, number>();
    await this.#onEach(async (client, shardId) => {
      await client.query(ANALYZE_SQL);
      const sums = await client.query<{ sum: string }>(SUM_SQL, [this.tenantId]);
      sum = sum.plus(sums.rows[0]?.sum ?? 0);
      const broken = await client.query<{ broken: number }>(BROKEN_SQL, [this.tenantId]);
      if (broken.rows[0]?.broken !== 0) throw new WrongAnswerError(`entries on ${shardId} break their chain`);
      const credited = await client.query<{ credits: number }>(CREDITS_SQL, [this.tenantId, TRANSFER_AMOUNT]);
      credits += credited.rows[0]?.credits ?? 0;
      const counts = await client.query<CountRow>(COUNTS_SQL, [this.tenantId, TRANSFER_AMOUNT]);
      for (const { actor, transfers, debits, keys } of counts.rows) {
        if (debits !== transfers || keys !== transfers) {
          throw new WrongAnswerError(`transfers on ${shardId} without their debit or their key`);
        }
        found.set(actor, (found.get(actor) ?? 0) + transfers);
      }
    });
    const opened = [...this.#accounts.values()]
      .flat()
      .reduce((all, { balance }) => all.plus(balance), new Decimal(0));
    if (!sum.equals(opened)) throw new WrongAnswerError('money was made or lost');
    if (credits !== total(found)) throw new WrongAnswerError('as many credits as transfers are not there');
    for (const actor of new Set([...found.keys(), ...this.#accepted.keys()])) {
      const [kept, accepted] = [found.get(actor) ?? 0, this.#accepted.get(actor) ?? 0];
      if (kept !== accepted)
        throw new WrongAnswerError(`${accepted} transfers of ${actor} accepted, ${kept} kept`);
    }
  }

  async #onEach(work: (client: pg.Client, shardId: string) => Promise<void>): Promise<void> {
    for (const shardId of this.#accounts.keys()) {
      const client = new pg.Client({ connectionString: this.#site.primaryAdminUrl(shardId) });
      await client.connect();
      try {
        await work(client, shardId);
      } finally {
        await client.end();
      }
    }
  }
}

function total(counts: ReadonlyMap<string, number>): number {
  return [...counts.values()].reduce((sum, count) => sum + count, 0);
}
