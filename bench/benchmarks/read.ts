import type { Decimal } from 'decimal.js';
import { Account } from '../../src/modules/accounts/account.js';
import type { BenchAccount } from '../bank/bench-account.js';
import { PEER_CONNECTIONS } from '../harness/bench-site.js';
import type { Benchmark } from '../harness/benchmark.js';
import { WrongAnswerError } from '../harness/wrong-answer.js';
import { openReadPeers } from '../peers/read-peers.js';
import { readCases, type ReadGoal } from './read-work.js';

/** The shard whose replica everybody reads. */
const SHARD = 's0';

const GOALS: readonly ReadGoal[] = [
  { callers: 1, pg: 0.9 },
  { callers: 32, pg: 2.5, typeorm: 8 },
  { callers: 256, pg: 5, typeorm: 20 },
];

/** Point reads by id through the repository, past the cache. */
export const readBenchmark: Benchmark = {
  name: 'read',
  summary: 'an account by its id, 1, 32 and 256 callers, against pg, TypeORM and Drizzle',
  async open(openSite) {
    const site = await openSite();
    const peers = await openReadPeers(site.replicaAdminUrl(SHARD), PEER_CONNECTIONS);
    const accounts = site.gateway.repository(Account);
    const items = site.bank.accounts(SHARD);
    const { pg, typeorm, drizzle } = peers;
    const cases = readCases<BenchAccount>(
      {
        items,
        ours: async (account) => {
          check(account, await accounts.findById(account.id, { cache: false }));
        },
        pg: async (account) => {
          check(account, await pg.account(account.tenantId, account.id));
        },
        typeorm: async (account) => {
          check(account, await typeorm.account(account.tenantId, account.id));
        },
        drizzle:
          drizzle &&
          (async (account) => {
            check(account, await drizzle.account(account.tenantId, account.id));
          }),
      },
      GOALS,
    );
    const settings = { ...site.settings, cache: 'off', accounts: items.length };
    const versions = { postgres: site.postgresVersion, ...peers.versions };
    return { cases, settings, versions, close: () => peers.close() };
  },
};

function check(
  account: BenchAccount,
  row: { readonly id: string; readonly balance: Decimal | string } | null | undefined,
): void {
  if (!account.isThis(row))
    throw new WrongAnswerError('not the account that was asked for, or not its balance');
}
