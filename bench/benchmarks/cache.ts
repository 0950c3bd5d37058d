import type { Decimal } from 'decimal.js';
import { LRUCache } from 'lru-cache';
import { GatewayContext } from '../../src/index.js';
import { Account } from '../../src/modules/accounts/account.js';
import { LedgerTransaction } from '../../src/modules/accounts/ledger/ledger-transaction.js';
import type { BenchAccount } from '../bank/bench-account.js';
import { NewestTransactions, type TransactionFacts } from '../bank/newest-transactions.js';
import { PEER_CONNECTIONS, type BenchSite } from '../harness/bench-site.js';
import type { BenchCase, Benchmark } from '../harness/benchmark.js';
import { WrongAnswerError } from '../harness/wrong-answer.js';
import { openCachePeers, type CachePeers } from '../peers/cache-peers.js';
import type { PlainTransaction } from '../peers/pg-peer.js';
import { hitCase, type HitRounds } from './cache/hits.js';
import { readAhead, SCOPE, untilHit } from './cache/scope.js';
import { stormCase, type StormReads } from './cache/storm.js';
import { WriteStorm } from './cache/write-storm.js';

/** The shard whose rows everybody reads. */
const SHARD = 's0';

const ACCOUNTS = 1_000;
const LISTS = 100;

/** Transactions of one list. */
const LIMIT = 100;

/** So many and so often that about a tenth of the reads finds no answer that may be served. */
const STORM_ACCOUNTS = 240;
const STORM_RATE = { writers: 8, everyMs: 10 };

/** 800,000 rows per second. */
const BOUND = { label: '1.25 µs per call', p50Ms: 0.00125 };

/** An account as some subject gives it; BentoCache's are plain. */
type AccountAnswer = { readonly id: string; readonly balance: Decimal | string } | null | undefined;

/** Reads that are kept: by our repository, and by caches that know of no writes, tenants or shards. */
export const cacheBenchmark: Benchmark = {
  name: 'cache',
  summary: 'hits of 1 row and of 100, against lru-cache, TypeORM and BentoCache; reads amid writes',
  async open(openSite) {
    const site = await openSite();
    const peers = await openCachePeers(site.primaryAdminUrl(SHARD), PEER_CONNECTIONS);
    const rounds: HitRounds = { withMisses: 0 };
    const reads: StormReads = { fromCache: 0, elsewhere: 0 };
    const accounts = site.gateway.repository(Account);
    const storm = new WriteStorm(site.bank.accounts(SHARD).slice(-STORM_ACCOUNTS), accounts, STORM_RATE);
    await storm.begin();
    await untilHit(() => accounts.findById(site.bank.accounts(SHARD)[0]?.id ?? ''));
    return {
      cases: [
        await oneRow(site, peers, rounds),
        await hundredRows(site, peers, rounds),
        stormCase(storm, accounts, reads),
      ],
      settings: { ...site.settings, accounts: ACCOUNTS, lists: LISTS, stormAccounts: STORM_ACCOUNTS },
      found: () => ({
        roundsWithMisses: rounds.withMisses,
        stormHits: share(reads.fromCache, reads.fromCache + reads.elsewhere),
        stormWritesPerSecond: storm.writesPerSecond,
      }),
      versions: { postgres: site.postgresVersion, ...peers.versions },
      close: () => peers.close(),
    };
  },
};

async function oneRow(site: BenchSite, peers: CachePeers, rounds: HitRounds): Promise<BenchCase> {
  const repository = site.gateway.repository(Account);
  const items = site.bank.accounts(SHARD).slice(0, ACCOUNTS);
  const { typeorm, bentocache } = peers;
  const kept = new LRUCache<string, Account>({ max: ACCOUNTS });
  await GatewayContext.run(SCOPE, () =>
    readAhead(items, async ({ id }) => {
      const row = await repository.findById(id);
      if (row !== null) kept.set(id, row);
    }),
  );
  return hitCase<BenchAccount, AccountAnswer>(
    {
      name: 'one row',
      items,
      callsPerTurn: 200,
      ours: ({ id }) => repository.findById(id),
      lru: ({ id }) => kept.get(id),
      typeorm: ({ tenantId, id }) => typeorm.account(tenantId, id),
      bentocache: bentocache && (({ tenantId, id }) => bentocache.account(tenantId, id)),
      check,
      goals: [
        { against: BOUND, atLeast: 1 },
        { against: 'typeorm', atLeast: 200 },
      ],
    },
    rounds,
  );
}

async function hundredRows(site: BenchSite, peers: CachePeers, rounds: HitRounds): Promise<BenchCase> {
  const repository = site.gateway.repository(LedgerTransaction);
  const items = site.bank
    .busyAccounts(SHARD)
    .slice(0, LISTS)
    .map((account, place) => {
      return new NewestTransactions(account, place, LIMIT);
    });
  const { typeorm, bentocache } = peers;
  const find = ({ account }: NewestTransactions): Promise<LedgerTransaction[]> =>
    repository.forUser(account.userId).find({
      where: { accountId: account.id },
      order: { executedAt: 'DESC', accountVersion: 'DESC' },
      take: LIMIT,
    });
  const kept = new LRUCache<string, LedgerTransaction[]>({ max: LISTS });
  await GatewayContext.run(SCOPE, () =>
    readAhead(items, async (expected) => {
      kept.set(expected.account.id, await find(expected));
    }),
  );
  return hitCase<NewestTransactions, readonly (LedgerTransaction | PlainTransaction)[]>(
    {
      name: '100 rows',
      items,
      callsPerTurn: 5,
      ours: find,
      lru: ({ account }) => kept.get(account.id) ?? [],
      typeorm: ({ account }) => typeorm.transactions(account.tenantId, account.id, LIMIT),
      bentocache:
        bentocache && (({ account }) => bentocache.transactions(account.tenantId, account.id, LIMIT)),
      check: (expected, rows) => {
        expected.assert(rows, factsOf);
      },
      goals: [],
    },
    rounds,
  );
}

function factsOf(row: LedgerTransaction | PlainTransaction): TransactionFacts {
  if (!('account_id' in row)) return row;
  return { accountId: row.account_id, accountVersion: row.account_version, amount: row.amount };
}

function check(account: BenchAccount, row: AccountAnswer): void {
  if (!account.isThis(row))
    throw new WrongAnswerError('not the account that was asked for, or not its balance');
}

function share(part: number, whole: number): string {
  return whole === 0 ? 'none' : `${((part / whole) * 100).toFixed(1)} %`;
}
