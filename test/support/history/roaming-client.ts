import { setTimeout as sleep } from 'node:timers/promises';
import { SeededRandom } from '../hostile/seeded-random.js';
import { useOf } from './cell.js';
import { ClientPlan } from './client-plan.js';
import type { Faults } from './faults.js';
import type { GatewayWorker } from './gateway-worker.js';
import type { OperationRecord, WriteRecord } from './records.js';

const WRITES = 0.06;
/** Of writes, how many are to the client's own cell: it must have time to be forgotten in between. */
const OWN_WRITES = 0.03;
const READS_WITH_TOKEN = 0.4;
const QUIET_WITH_TOKEN = 0.1;
const TOKENS_MAX = 3;
const PAUSE_MS_MAX = 12;

/** Not after each: what was missed must stay so for a while. */
const WRITES_AFTER_CUT = 0.9;

/** How long after a cut the own cell is written, at most, ms: while the others may hear of it or not. */
const AFTER_CUT_MS_MAX = 250;

/**
 * How long after a cut no quiet cell is asked for by itself, ms: until the cache of the process answers again, and it
 * takes longer than this to hear again.
 */
const QUIET_AFTER_CUT_MS = 1_000;

/**
 * A client that uses both processes, and takes the tokens of its latest writes along. Its own cell is quiet: it
 * is written mostly when a bus was cut, and only such clients ask for it by itself, and not soon after a cut. So
 * no later write, and no answer from a database, makes good what a process may have missed.
 */
export class RoamingClient {
  readonly #name: string;
  readonly #tenantId: string;
  readonly #workers: readonly GatewayWorker[];
  readonly #faults: Faults;
  readonly #plan: ClientPlan;
  readonly #owned: number;
  readonly #history: OperationRecord[] = [];
  #latest: WriteRecord[] = [];
  #cutsSeen = 0;
  /** When a process was asked last what its cache answered, by `performance.now()`. */
  readonly #answeredAtMs = new Map<GatewayWorker, number>();

  constructor(
    name: string,
    { workers, faults }: { workers: readonly GatewayWorker[]; faults: Faults },
    { tenantId, seed, owned }: { tenantId: string; seed: number; owned: number },
  ) {
    this.#name = name;
    this.#tenantId = tenantId;
    this.#workers = workers;
    this.#faults = faults;
    this.#owned = owned;
    this.#plan = new ClientPlan(new SeededRandom(seed), owned);
  }

  /** What it did so far. */
  get history(): readonly OperationRecord[] {
    return this.#history;
  }

  /** Until then. */
  async run(signal: AbortSignal): Promise<void> {
    const { random } = this.#plan;
    while (!signal.aborted) {
      await this.#step();
      await sleep(random.next() * PAUSE_MS_MAX);
    }
  }

  async #step(): Promise<void> {
    const { random } = this.#plan;
    const worker = random.pick(this.#workers);
    const isAfterCut = this.#faults.cuts > this.#cutsSeen && random.next() < WRITES_AFTER_CUT;
    this.#cutsSeen = this.#faults.cuts;
    if (isAfterCut) await sleep(random.next() * AFTER_CUT_MS_MAX);
    if (isAfterCut || random.next() < WRITES) await this.#write(worker, isAfterCut);
    else await this.#read(worker);
  }

  async #write(worker: GatewayWorker, isAfterCut: boolean): Promise<void> {
    let operation = this.#plan.write(isAfterCut);
    const isOwn = operation.cells[0] === this.#owned;
    if (isOwn && !isAfterCut && this.#plan.random.next() > OWN_WRITES) return;
    // What is rolled back would waste the cut.
    while (isAfterCut && operation.how.startsWith('rolled')) operation = this.#plan.write(true);
    const record = await worker.perform(this.#tenantId, this.#name, operation);
    if (record.kind !== 'write') return;
    this.#history.push(record);
    this.#plan.wrote(record);
    if (record.isKept) this.#latest = [record, ...this.#latest].slice(0, TOKENS_MAX);
  }

  /** Mostly of what it has written itself, where there is a token to take along. */
  async #read(worker: GatewayWorker): Promise<void> {
    const { random } = this.#plan;
    const hearsAtMs = this.#faults.cutAtMs + QUIET_AFTER_CUT_MS;
    const askedAtMs = performance.now();
    const isQuiet = (this.#answeredAtMs.get(worker) ?? -Infinity) > hearsAtMs;
    const read = this.#plan.read(isQuiet);
    const isOfQuiet = read.cells.length === 1 && read.cells.every((cell) => useOf(cell) === 'quiet');
    // A token would have it asked of a database, and so make good what was missed.
    const carried = !isOfQuiet && random.next() < READS_WITH_TOKEN ? this.#latest : [];
    const written = random
      .shuffled(carried.flatMap(({ cells }) => cells))
      .find((cell) => useOf(cell) !== 'quiet' || (isQuiet && random.next() < QUIET_WITH_TOKEN));
    const isSingle = read.cells.length === 1 && written !== undefined;
    const record = await worker.perform(this.#tenantId, this.#name, {
      ...read,
      cells: isSingle ? [written] : read.cells,
      token: carried.length > 0 ? carried.map(({ writtenToken }) => writtenToken).join() : undefined,
      tokenOf: carried.map(({ id }) => id),
    });
    if (record.kind === 'read' && record.source === 'cache') this.#answeredAtMs.set(worker, askedAtMs);
    this.#history.push(record);
  }
}
