import { AccountMaker } from './account-maker.js';
import type { BenchAccount } from './bench-account.js';

/** The tenant that is measured. */
export const BENCH_TENANT = 'bench';

/** Tenants that are there besides, so that there is something that must not be seen. */
const OTHER_TENANTS = ['bench-other', 'bench-third'];
const OTHER_TENANTS_ACCOUNTS = 1_000;

/** The least accounts of the measured tenant on each shard. */
const ACCOUNTS_PER_SHARD = 10_000;

/** How many accounts of each shard have transactions; an even number, since they pay each other. */
const BUSY_ACCOUNTS_PER_SHARD = 300;

/** Transactions of each busy account; an even number: what was paid came back. */
export const TRANSACTIONS_PER_BUSY_ACCOUNT = 200;

/** The accounts that a benchmark's cluster holds. */
export class BenchBank {
  readonly #accounts: ReadonlyMap<string, readonly BenchAccount[]>;

  private constructor(accounts: ReadonlyMap<string, readonly BenchAccount[]>) {
    this.#accounts = accounts;
  }

  /** Makes up accounts for these shards; nothing is written. */
  static async of(shardIds: readonly string[]): Promise<BenchBank> {
    const maker = await AccountMaker.of(shardIds);
    const accounts = new Map<string, BenchAccount[]>(shardIds.map((shardId) => [shardId, []]));
    const isFull = (): boolean => [...accounts.values()].every(({ length }) => length >= ACCOUNTS_PER_SHARD);
    const add = (tenantId: string, number: number): void => {
      const { shardId, account } = maker.make(tenantId, number);
      accounts.get(shardId)?.push(account);
    };
    for (let number = 1; !isFull(); number += 1) add(BENCH_TENANT, number);
    for (const tenantId of OTHER_TENANTS) {
      for (let number = 1; number <= OTHER_TENANTS_ACCOUNTS; number += 1) add(tenantId, number);
    }
    return new BenchBank(accounts);
  }

  /** Every account of a shard, of all tenants. */
  everything(shardId: string): readonly BenchAccount[] {
    return this.#accounts.get(shardId) ?? [];
  }

  /** {@link ACCOUNTS_PER_SHARD} accounts of the measured tenant; the busy ones come first. */
  accounts(shardId: string): readonly BenchAccount[] {
    return this.everything(shardId).slice(0, ACCOUNTS_PER_SHARD);
  }

  /** The accounts of the measured tenant that have transactions. */
  busyAccounts(shardId: string): readonly BenchAccount[] {
    return this.everything(shardId).slice(0, BUSY_ACCOUNTS_PER_SHARD);
  }
}
