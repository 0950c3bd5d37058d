import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import { TRANSFER_AMOUNT, type TransferBank } from '../bank/transfer-bank.js';
import type { ForeignSubject } from '../harness/benchmark.js';
import type { Measurement, Round } from '../harness/round.js';
import { quantile } from '../harness/statistics.js';
import { WrongAnswerError } from '../harness/wrong-answer.js';
import { PGBENCH_SCHEMA_SQL, pgbenchScript, PLACES_SQL } from './pgbench-sql.js';

const ACTOR = 'pgbench';
const SCRIPT = 'transfer.sql';
const LOG = 'log';

/** What the first round goes by, in transfers per second; each one after it goes by the one before. */
const RATE_AT_FIRST = 500;

/** pgbench, with one call of a PL/pgSQL function per transfer, as the superuser. */
export class PgbenchPeer {
  readonly #binary: string;
  readonly #url: URL;
  readonly #directory: string;
  readonly #bank: TransferBank;

  private constructor(binary: string, url: URL, directory: string, bank: TransferBank) {
    this.#binary = binary;
    this.#url = url;
    this.#directory = directory;
    this.#bank = bank;
  }

  /** Makes its function on a shard, for the accounts of a bank there. */
  static async open(
    binary: string,
    { url, bank, shardId }: { url: string; bank: TransferBank; shardId: string },
  ): Promise<PgbenchPeer> {
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    try {
      await client.query(PGBENCH_SCHEMA_SQL);
      await client.query(PLACES_SQL, [bank.accounts(shardId).map(({ id }) => id)]);
      await client.query('ANALYZE bench.places');
    } finally {
      await client.end();
    }
    const directory = await mkdtemp(join(tmpdir(), 'shardgate-pgbench-'));
    await writeFile(join(directory, SCRIPT), pgbenchScript(bank.tenantId, TRANSFER_AMOUNT, ACTOR));
    return new PgbenchPeer(binary, new URL(url), directory, bank);
  }

  /** So many clients, on the first so many accounts. */
  subject(name: string, clients: number, accounts: number): ForeignSubject {
    let rate = RATE_AT_FIRST;
    return {
      name,
      isOurs: false,
      measureRound: async (round) => {
        const perClient = Math.max(2, Math.ceil((rate * round.durationMs) / 1_000 / clients));
        const measured = await this.#run({ clients, perClient, accounts }, round);
        rate = measured.perSecond;
        return measured;
      },
    };
  }

  /** Removes what it made beside the servers, which go with their data. */
  async close(): Promise<void> {
    await rm(this.#directory, { recursive: true, force: true });
  }

  async #run(
    { clients, perClient, accounts }: { clients: number; perClient: number; accounts: number },
    { signal }: Round,
  ): Promise<Measurement> {
    const { hostname, port, username, password, pathname } = this.#url;
    const threads = Math.min(clients, availableParallelism());
    const given = [
      ...['--no-vacuum', '--protocol', 'prepared', '--define', `accounts=${accounts}`, '--file', SCRIPT],
      ...['--client', String(clients), '--jobs', String(threads), '--transactions', String(perClient)],
      ...['--log', '--log-prefix', LOG],
    ];
    const { stdout } = await promisify(execFile)(this.#binary, given, {
      cwd: this.#directory,
      signal,
      // Not among the arguments, which every process of the machine may read.
      env: {
        PGHOST: hostname,
        PGPORT: port,
        PGUSER: decodeURIComponent(username),
        PGPASSWORD: decodeURIComponent(password),
        PGDATABASE: decodeURIComponent(pathname.slice(1)),
      },
    });
    const ascendingMs = await this.#takeLog();
    const calls = clients * perClient;
    if (ascendingMs.length !== calls) {
      throw new WrongAnswerError(`${ascendingMs.length} of ${calls} transfers of pgbench`);
    }
    this.#bank.noteAccepted(ACTOR, calls);
    return {
      perSecond: rateIn(stdout),
      p50Ms: quantile(ascendingMs, 0.5),
      p99Ms: quantile(ascendingMs, 0.99),
      calls,
    };
  }

  /** How long each transfer took: the third column of one file per thread, in microseconds. */
  async #takeLog(): Promise<Float64Array> {
    const names = (await readdir(this.#directory)).filter((name) => name.startsWith(`${LOG}.`));
    const durationsMs: number[] = [];
    for (const name of names) {
      const path = join(this.#directory, name);
      const lines = (await readFile(path, 'utf8')).split('\n').filter((line) => line !== '');
      durationsMs.push(...lines.map((line) => Number(line.split(' ')[2]) / 1_000));
      await rm(path);
    }
    return Float64Array.from(durationsMs).sort();
  }
}

function rateIn(output: string): number {
  const rate = /^tps = ([\d.]+)/m.exec(output)?.[1];
  if (rate === undefined) throw new Error('pgbench did not say how many transfers it did per second.');
  return Number(rate);
}
