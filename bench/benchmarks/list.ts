import { LedgerTransaction } from '../../src/modules/accounts/ledger/ledger-transaction.js';
import { TRANSACTIONS_PER_BUSY_ACCOUNT } from '../bank/bench-bank.js';
import { NewestTransactions } from '../bank/newest-transactions.js';
import { PEER_CONNECTIONS } from '../harness/bench-site.js';
import type { Benchmark } from '../harness/benchmark.js';
import { openReadPeers } from '../peers/read-peers.js';
import { readCases, type ReadGoal } from './read-work.js';

/** The shard whose replica everybody reads. */
const SHARD = 's0';

/** Transactions per call. */
const LIMIT = 50;

/**
 * A lone caller mostly waits for the server and the wire, which are the same for all: they alone are about a
 * quarter of TypeORM's time, so there is no goal against it.
 */
const GOALS: readonly ReadGoal[] = [
  { callers: 1, pg: 1 },
  { callers: 32, pg: 1, typeorm: 3 },
];

/** The newest transactions of an account through the repository, past the cache. */
export const listBenchmark: Benchmark = {
  name: 'list',
  summary: `the last ${LIMIT} transactions of an account, 1 and 32 callers, against pg, TypeORM and Drizzle`,
  async open(openSite) {
    const site = await openSite();
    const peers = await openReadPeers(site.replicaAdminUrl(SHARD), PEER_CONNECTIONS);
    const repository = site.gateway.repository(LedgerTransaction);
    const items = site.bank.busyAccounts(SHARD).map((account, place) => {
      return new NewestTransactions(account, place, LIMIT);
    });
    const { pg, typeorm, drizzle } = peers;
    const cases = readCases<NewestTransactions>(
      {
        items,
        ours: async (expected) => {
          const rows = await repository.forUser(expected.account.userId).find({
            where: { accountId: expected.account.id },
            order: { executedAt: 'DESC', accountVersion: 'DESC' },
            take: LIMIT,
            cache: false,
          });
          expected.assert(rows, (row) => row);
        },
        pg: async (expected) => {
          const { tenantId, id } = expected.account;
          expected.assert(await pg.transactions(tenantId, id, LIMIT), (row) => ({
            accountId: row.account_id,
            accountVersion: row.account_version,
            amount: row.amount,
          }));
        },
        typeorm: async (expected) => {
          const { tenantId, id } = expected.account;
          expected.assert(await typeorm.transactions(tenantId, id, LIMIT), (row) => row);
        },
        drizzle:
          drizzle &&
          (async (expected) => {
            const { tenantId, id } = expected.account;
            expected.assert(await drizzle.transactions(tenantId, id, LIMIT), (row) => row);
          }),
      },
      GOALS,
    );
    const settings = {
      ...site.settings,
      cache: 'off',
      accounts: items.length,
      transactionsPerAccount: TRANSACTIONS_PER_BUSY_ACCOUNT,
    };
    const versions = { postgres: site.postgresVersion, ...peers.versions };
    return { cases, settings, versions, close: () => peers.close() };
  },
};
