import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import type { BankSite } from './bank-site.js';
import { FAULT_KINDS, faultsOf, type FaultKind, type PlannedFault } from './fault-plan.js';
import { SeededRandom } from '../hostile/seeded-random.js';

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
      await this.#site.restartGateway(Math.floor(whom * gateways));
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
