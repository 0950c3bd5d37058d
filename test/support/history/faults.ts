import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import type { EmbeddedCluster } from '../../../src/sharding/cluster/embedded-cluster.js';
import { SeededRandom } from '../hostile/seeded-random.js';
import { replicaAdminUrl } from '../load/held-replicas.js';
import type { GatewayWorker } from './gateway-worker.js';

const DELAYS_MS = [0, 20, 100, 250, 500] as const;

/** How long replay stands at most, ms. */
const STANDS_MS_MAX = 500;
/** Lags change every so often: at least, and by how much more at most, ms. */
const LAG_EVERY_MS = [150, 400] as const;
/** A process whose bus was cut listens again after a quarter of a second, and hears 1.5 s later. */
const CUT_EVERY_MS = [3_500, 1_000] as const;
const FIRST_CUT_MS = 1_200;
const BOTH = 0.2;
/** How late the primary's answers are, for one process or none, and how often that changes; ms. */
const LATE_MS = [10, 25] as const;
const LATE_EVERY_MS = [100, 200] as const;
const LATE = 0.5;

const BUSES_SQL = `
  SELECT pid FROM pg_stat_activity WHERE application_name = 'shardgate-notices' ORDER BY backend_start`;

/**
 * What goes wrong during a run: the replica falls behind by changing times, buses are cut, and a
 * process hears late of what the primary has done, and others see already.
 */
export class Faults {
  readonly #primary: pg.Client;
  readonly #replica: pg.Client;
  readonly #workers: readonly GatewayWorker[];
  readonly #seed: number;
  #lagChanges = 0;
  #cuts = 0;
  #cutAtMs = -Infinity;

  private constructor(
    { primary, replica }: { primary: pg.Client; replica: pg.Client },
    workers: readonly GatewayWorker[],
    seed: number,
  ) {
    this.#primary = primary;
    this.#replica = replica;
    this.#workers = workers;
    this.#seed = seed;
  }

  /** @param cluster of one shard with one replica */
  static async prepare(
    cluster: EmbeddedCluster,
    workers: readonly GatewayWorker[],
    seed: number,
  ): Promise<Faults> {
    const [shard] = cluster.config.shards;
    const [replica] = shard?.replicas ?? [];
    const open = async (url: string): Promise<pg.Client> => {
      const client = new pg.Client({ connectionString: url });
      client.on('error', () => undefined);
      await client.connect();
      return client;
    };
    const primary = await open(shard?.primary.adminUrl ?? '');
    return new Faults(
      { primary, replica: await open(replicaAdminUrl(cluster, replica?.id ?? '')) },
      workers,
      seed,
    );
  }

  /** How often a bus's connection was cut so far. */
  get cuts(): number {
    return this.#cuts;
  }

  /** When one was cut last, by `performance.now()`. */
  get cutAtMs(): number {
    return this.#cutAtMs;
  }

  /** How often the lag was changed so far. */
  get lagChanges(): number {
    return this.#lagChanges;
  }

  /** Goes on until then; then the replica is let go. */
  async run(signal: AbortSignal): Promise<void> {
    await Promise.all([this.#changeLags(signal), this.#cutBuses(signal), this.#slowWires(signal)]);
    await this.#delayBy(0);
  }

  async end(): Promise<void> {
    await Promise.all([this.#primary.end(), this.#replica.end()]);
  }

  async #changeLags(signal: AbortSignal): Promise<void> {
    const random = new SeededRandom(this.#seed + 1);
    while (await pauseUnless(signal, random, LAG_EVERY_MS)) {
      this.#lagChanges += 1;
      if (random.next() < 0.6) {
        await this.#delayBy(random.pick(DELAYS_MS));
        continue;
      }
      await this.#replica.query('SELECT pg_wal_replay_pause()');
      await sleep(random.next() * STANDS_MS_MAX);
      await this.#replica.query('SELECT pg_wal_replay_resume()');
    }
  }

  async #slowWires(signal: AbortSignal): Promise<void> {
    const random = new SeededRandom(this.#seed + 3);
    const [leastMs, moreMs] = LATE_MS;
    while (await pauseUnless(signal, random, LATE_EVERY_MS)) {
      for (const { wire } of this.#workers) wire.delayMs = 0;
      if (random.next() < LATE) random.pick(this.#workers).wire.delayMs = leastMs + random.next() * moreMs;
    }
    for (const { wire } of this.#workers) wire.delayMs = 0;
  }

  async #delayBy(delayMs: number): Promise<void> {
    await this.#replica.query(`ALTER SYSTEM SET recovery_min_apply_delay = '${delayMs}ms'`);
    await this.#replica.query('SELECT pg_reload_conf()');
  }

  async #cutBuses(signal: AbortSignal): Promise<void> {
    const random = new SeededRandom(this.#seed + 2);
    await sleep(random.next() * FIRST_CUT_MS);
    do {
      const { rows } = await this.#primary.query<{ pid: number }>(BUSES_SQL);
      const isBoth = random.next() < BOTH;
      const chosen = random.shuffled(rows).slice(0, isBoth ? rows.length : 1);
      this.#cutAtMs = performance.now();
      for (const { pid } of chosen) {
        const { rows: answers } = await this.#primary.query<{ cut: boolean }>(
          'SELECT pg_terminate_backend($1) AS cut',
          [pid],
        );
        if (answers[0]?.cut === true) this.#cuts += 1;
      }
    } while (await pauseUnless(signal, random, CUT_EVERY_MS));
  }
}

/** Waits for a time by chance. @returns whether it is not over */
async function pauseUnless(
  signal: AbortSignal,
  random: SeededRandom,
  [leastMs, moreMs]: readonly [number, number],
): Promise<boolean> {
  await sleep(leastMs + random.next() * moreMs, undefined, { signal }).catch(() => undefined);
  return !signal.aborted;
}
