import { TRANSFER_AMOUNT, TransferBank } from '../bank/transfer-bank.js';
import { PEER_CONNECTIONS, type BenchSite } from '../harness/bench-site.js';
import type {
  BenchCase,
  Benchmark,
  Comparison,
  MissingSubject,
  PresentSubject,
} from '../harness/benchmark.js';
import { randomIndices } from '../harness/random-indices.js';
import { packageVersion } from '../harness/versions.js';
import { findPgbench, PGBENCH_MISSING, pgbenchVersion } from '../peers/pgbench-binary.js';
import { PgbenchPeer } from '../peers/pgbench-peer.js';
import { TypeormTransferPeer } from '../peers/typeorm-transfer-peer.js';
import { assertDone, FreshKeys, transferOurs, type Pair } from './transfers/asked-transfers.js';

const SHARD = 's0';
const TENANT = 'bench-transfers';
const ACCOUNTS = 10_000;

const OURS = 'shardgate';
const TYPEORM = 'typeorm';

/** One load, on the first so many accounts; who else works under it, and how many times faster we mean to be. */
interface TransferLoad {
  readonly callers: number;
  readonly accounts: number;
  /** With each of these numbers of clients. */
  readonly pgbenchClients: readonly number[];
  readonly pgbench?: number;
  readonly withTypeorm?: boolean;
  readonly typeorm?: number;
}

const MANY = [8, 32];

const LOADS: readonly TransferLoad[] = [
  { callers: 1, accounts: ACCOUNTS, pgbenchClients: [1], pgbench: 0.8, withTypeorm: true },
  { callers: 32, accounts: ACCOUNTS, pgbenchClients: MANY },
  { callers: 256, accounts: ACCOUNTS, pgbenchClients: MANY, pgbench: 2, withTypeorm: true, typeorm: 10 },
  { callers: 1_024, accounts: ACCOUNTS, pgbenchClients: [32] },
  { callers: 256, accounts: 100, pgbenchClients: MANY },
  { callers: 256, accounts: 10, pgbenchClients: MANY },
  { callers: 256, accounts: 2, pgbenchClients: MANY, pgbench: 10 },
];

/** Transfers between accounts of one shard, with idempotency keys. */
export const transfersBenchmark: Benchmark = {
  name: 'transfers',
  summary: 'transfers on one shard, 1 to 1,024 callers on 10,000 to 2 accounts, against pgbench and TypeORM',
  async open(openSite) {
    const site = await openSite();
    const bank = await TransferBank.load(site, { tenantId: TENANT, shardIds: [SHARD], perShard: ACCOUNTS });
    const url = site.primaryAdminUrl(SHARD);
    const typeorm = await TypeormTransferPeer.open(url, PEER_CONNECTIONS);
    const binary = await findPgbench();
    const pgbench =
      binary === undefined ? undefined : await PgbenchPeer.open(binary, { url, bank, shardId: SHARD });
    const work: TransferWork = { site, bank, typeorm, pgbench, keys: new FreshKeys() };
    return {
      cases: LOADS.map((load) => caseOf(work, load)),
      settings: { ...site.settings, accounts: ACCOUNTS, amount: TRANSFER_AMOUNT },
      verify: () => bank.verify(),
      versions: {
        postgres: site.postgresVersion,
        pgbench: binary === undefined ? 'missing' : await pgbenchVersion(binary),
        typeorm: await packageVersion('typeorm'),
      },
      close: async () => {
        await Promise.all([typeorm.close(), pgbench?.close()]);
      },
    };
  },
};

interface TransferWork {
  readonly site: BenchSite;
  readonly bank: TransferBank;
  readonly typeorm: TypeormTransferPeer;
  /** Undefined where there is none on this machine. */
  readonly pgbench: PgbenchPeer | undefined;
  readonly keys: FreshKeys;
}

function caseOf({ site, bank, typeorm, pgbench, keys }: TransferWork, load: TransferLoad): BenchCase {
  const { callers, accounts, pgbenchClients, withTypeorm = false } = load;
  const subjects: (PresentSubject | MissingSubject)[] = [
    {
      name: OURS,
      isOurs: true,
      turnOf: turns(bank, accounts, (pair) => transferOurs(site.transfers, bank, pair, keys.next())),
    },
    ...pgbenchClients.map((clients) => {
      const name = pgbenchName(clients);
      return pgbench?.subject(name, clients, accounts) ?? { name, missing: PGBENCH_MISSING };
    }),
  ];
  const comparisons: Comparison[] = [
    {
      subject: OURS,
      against: {
        label: pgbenchClients.length === 1 ? 'pgbench' : 'pgbench, the best',
        bestOf: pgbenchClients.map(pgbenchName),
      },
      atLeast: load.pgbench,
    },
  ];
  if (withTypeorm) {
    const transfer = async (pair: Pair): Promise<void> => {
      const key = keys.next();
      const asked = { ...pair, tenantId: TENANT, amount: TRANSFER_AMOUNT, key };
      assertDone(await typeorm.transfer(asked), pair, key);
      bank.noteAccepted(typeorm.actor);
    };
    subjects.push({ name: TYPEORM, isOurs: false, turnOf: turns(bank, accounts, transfer) });
    comparisons.push({ subject: OURS, against: TYPEORM, atLeast: load.typeorm });
  }
  const name = `${callersText(callers)} on ${accounts.toLocaleString('en-US')} accounts`;
  return { name, callers, subjects, comparisons };
}

function turns(bank: TransferBank, accounts: number, transfer: (pair: Pair) => Promise<void>) {
  const ids = bank.accounts(SHARD).map(({ id }) => id);
  return (caller: number) => {
    const from = randomIndices(caller, accounts);
    const step = randomIndices(-caller - 1, accounts - 1);
    return (): Promise<void> => {
      const payer = from();
      const payee = (payer + 1 + step()) % accounts;
      return transfer({ fromId: ids[payer] ?? '', toId: ids[payee] ?? '' });
    };
  };
}

function pgbenchName(clients: number): string {
  return clients === 1 ? 'pgbench, 1 client' : `pgbench, ${clients} clients`;
}

function callersText(callers: number): string {
  return callers === 1 ? '1 caller' : `${callers.toLocaleString('en-US')} callers`;
}
