import { TRANSFER_AMOUNT, TransferBank } from '../bank/transfer-bank.js';
import type { BenchSite } from '../harness/bench-site.js';
import type { BenchCase, Benchmark, Comparison, Subject } from '../harness/benchmark.js';
import { randomIndices } from '../harness/random-indices.js';
import { FreshKeys, transferOurs, type Pair } from './transfers/asked-transfers.js';

const TENANT = 'bench-cross-shard';
const ACCOUNTS_PER_SHARD = 5_000;

const SHARES = [0, 10, 50, 100];

/** One load, and how much of the rate, or of the median speed, of transfers within shards is to be left. */
interface CrossLoad {
  readonly callers: number;
  readonly by: 'rate' | 'p50';
  readonly goals: Readonly<Record<number, number>>;
}

const LOADS: readonly CrossLoad[] = [
  // At most 2.5 times as long.
  { callers: 1, by: 'p50', goals: { 100: 1 / 2.5 } },
  { callers: 256, by: 'rate', goals: { 10: 0.7, 100: 0.25 } },
];

/** Transfers of which a share goes from one shard to another, against those that stay on one. */
export const crossShardBenchmark: Benchmark = {
  name: 'cross-shard',
  summary: 'transfers of which 0, 10, 50 or 100 % go between two shards, against our own on one',
  async open(openSite) {
    const site = await openSite();
    const [one = '', other = ''] = site.shardIds;
    const bank = await TransferBank.load(site, {
      tenantId: TENANT,
      shardIds: [one, other],
      perShard: ACCOUNTS_PER_SHARD,
    });
    const keys = new FreshKeys();
    const subjects = SHARES.map((share) => subjectOf(site, bank, keys, share));
    return {
      cases: LOADS.map((load) => caseOf(load, subjects)),
      settings: { ...site.settings, accountsPerShard: ACCOUNTS_PER_SHARD, amount: TRANSFER_AMOUNT },
      verify: () => bank.verify(),
      versions: { postgres: site.postgresVersion },
      close: () => Promise.resolve(),
    };
  },
};

function caseOf({ callers, by, goals }: CrossLoad, subjects: readonly Subject[]): BenchCase {
  const comparisons = SHARES.filter((share) => share > 0).map((share): Comparison => {
    return { subject: nameOf(share), against: nameOf(0), by, atLeast: goals[share] };
  });
  return { name: callers === 1 ? '1 caller' : `${callers} callers`, callers, subjects, comparisons };
}

function subjectOf(site: BenchSite, bank: TransferBank, keys: FreshKeys, share: number): Subject {
  const ids = site.shardIds.slice(0, 2).map((shardId) => bank.accounts(shardId).map(({ id }) => id));
  return {
    name: nameOf(share),
    isOurs: true,
    turnOf: (caller) => {
      const percent = randomIndices(caller, 100);
      const side = randomIndices(caller + 1_000, 2);
      const place = randomIndices(caller + 2_000, ACCOUNTS_PER_SHARD);
      const step = randomIndices(caller + 3_000, ACCOUNTS_PER_SHARD - 1);
      const pair = (): Pair => {
        const [here, payer] = [side(), place()];
        const there = percent() < share ? 1 - here : here;
        const payee = (payer + 1 + step()) % ACCOUNTS_PER_SHARD;
        return { fromId: ids[here]?.[payer] ?? '', toId: ids[there]?.[payee] ?? '' };
      };
      return () => transferOurs(site.transfers, bank, pair(), keys.next());
    },
  };
}

function nameOf(share: number): string {
  return share === 0 ? 'on one shard' : `${share} % between shards`;
}
