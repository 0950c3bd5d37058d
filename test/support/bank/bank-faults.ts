import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { BankLedger } from './bank-ledger.js';
import type { BankSite } from './bank-site.js';
import { FAULT_KINDS, faultsOf, type FaultKind, type PlannedFault } from './fault-plan.js';
import { eventually } from '../eventually.js';
import { SeededRandom } from '../hostile/seeded-random.js';

/** How long is waited for transactions to be prepared, ms. */
const PREPARED_MS_MAX = 1_000;
const LOCK_SQL = 'LOCK TABLE shardgate.commit_records IN SHARE MODE';

/** How many of the connections that are at work are cut when some are. */
const CUT = 0.5;

const BUSY_SQL = `
  SELECT pid FROM pg_stat_activity
  WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
    AND state <> 'idle' ORDER BY pid`;

/** Lets happen to a bank what is planned. */
export class BankFaults {
  /** How often each kind happened. */
  readonly happened: Record<FaultKind, number> = { gateway: 0, primary: 0, connections: 0 };
  readonly #site: BankSite;
  readonly #seed: number;

  constructor(site: BankSite, seed: number) {
    this.#site = site;
    this.#seed = seed;
  }

  /** Resolves when all of it has happened, and processes that died have been replaced. */
  async run(forMs: number): Promise<void> {
    const startedAt = performance.now();
    await Promise.all(
      FAULT_KINDS.map(async (kind) => {
        for (const planned of faultsOf(this.#seed, kind, forMs)) {
          await sleep(Math.max(0, startedAt + planned.atMs - performance.now()));
          // Those that had to wait until a process was there again come to an end with the load.
          if (performance.now() - startedAt > forMs) return;
          this.happened[kind] += await this.#strike(kind, planned);
        }
      }),
    );
  }

  /** @returns how many it hit */
  async #strike(kind: FaultKind, { atMs, whom }: PlannedFault): Promise<number> {
    const { cluster, gateways, adminUrls } = this.#site;
    if (kind === 'gateway') {
      const gateway = Math.floor(whom * gateways);
      await inDoubt(this.#site, () => this.#site.killGateway(gateway));
      await this.#site.replaceGateway(gateway);
      return 1;
    }
    const shard = Math.floor(whom * adminUrls.length);
    if (kind === 'primary') {
      const nodeId = cluster.config.shards[shard]!.id;
      await cluster.hold(nodeId);
      await cluster.release(nodeId);
      return 1;
    }
    return cutBusy(adminUrls[shard]!, new SeededRandom(this.#seed + atMs));
  }
}

/**
 * Does something while transactions over both shards are prepared and not decided: the first participant's commit
 * records are locked meanwhile. Without that, hardly a process would die in the moment that leaves one to recovery.
 */
async function inDoubt(site: BankSite, run: () => Promise<void>): Promise<void> {
  const ledger = new BankLedger(site.adminUrls);
  const client = new pg.Client({ connectionString: site.adminUrls[0]! });
  client.on('error', () => undefined);
  try {
    await client.connect();
    await client.query(`BEGIN; SET LOCAL lock_timeout = '1s'; ${LOCK_SQL}`);
    const isMet = async (): Promise<boolean> => (await ledger.prepared()).length >= site.gateways;
    await eventually('each process has one prepared', isMet, PREPARED_MS_MAX);
  } catch {
    // The primary is away, or there is nothing to pay between the shards: it happens at any moment, then.
  }
  await run();
  await client.end().catch(() => undefined);
}

/** Cuts some of the connections that are at work on a primary. @returns how many; none while it is away */
async function cutBusy(adminUrl: string, random: SeededRandom): Promise<number> {
  const client = new pg.Client({ connectionString: adminUrl });
  client.on('error', () => undefined);
  try {
    await client.connect();
    const { rows } = await client.query<{ pid: number }>(BUSY_SQL);
    const pids = rows.map(({ pid }) => pid).filter(() => random.next() < CUT);
    await client.query('SELECT pg_terminate_backend(pid) FROM unnest($1::int[]) AS pid', [pids]);
    return pids.length;
  } catch {
    return 0;
  } finally {
    await client.end().catch(() => undefined);
  }
}
