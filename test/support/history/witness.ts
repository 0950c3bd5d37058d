import { setTimeout as sleep } from 'node:timers/promises';
import { SeededRandom } from '../hostile/seeded-random.js';
import { cellsOf } from './cell.js';
import type { GatewayWorker } from './gateway-worker.js';
import type { OperationRecord, ReadOperation, WriteHow } from './records.js';

const CONTENDED = cellsOf('contended');
const WRITES: readonly WriteHow[] = ['increment', 'raw'];
const PAUSE_MS_MAX = 200;
const LOOKS_MAX = 10;

/**
 * A client that sees a write before the process that makes it can say so: it has one process write, looks at the
 * primary through the other one meanwhile, and asks the first as soon as it was shown the write.
 */
export class Witness {
  readonly #workers: readonly GatewayWorker[];
  readonly #tenantId: string;
  readonly #random: SeededRandom;
  readonly #history: OperationRecord[] = [];

  constructor(workers: readonly GatewayWorker[], { tenantId, seed }: { tenantId: string; seed: number }) {
    this.#workers = workers;
    this.#tenantId = tenantId;
    this.#random = new SeededRandom(seed);
  }

  /** What it did so far. */
  get history(): readonly OperationRecord[] {
    return this.#history;
  }

  /** Until then. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#watchWrite();
      await sleep(this.#random.next() * PAUSE_MS_MAX);
    }
  }

  async #watchWrite(): Promise<void> {
    const [writer, other] = this.#random.shuffled(this.#workers);
    if (writer === undefined || other === undefined) throw new Error('It takes two processes.');
    const cell = this.#random.pick(CONTENDED);
    const before = await this.#look(writer, cell, 'nothing');
    const write = { isOver: false };
    const written = writer
      .perform(this.#tenantId, 'witness', {
        ...{ kind: 'write', how: this.#random.pick(WRITES), cells: [cell] },
        isAsUser: this.#random.next() < 0.5,
      })
      .finally(() => (write.isOver = true));
    for (let looks = 0; !write.isOver && looks < LOOKS_MAX; looks += 1) {
      if ((await this.#look(other, cell, 'replica')) > before) break;
    }
    await this.#look(writer, cell, 'nothing');
    this.#history.push(await written);
  }

  /** @returns the value that was shown */
  async #look(worker: GatewayWorker, cell: number, past: ReadOperation['past']): Promise<number> {
    const record = await worker.perform(this.#tenantId, 'witness', {
      ...{ kind: 'read', how: 'by id', cells: [cell], isAsUser: false, past, tokenOf: [] },
    });
    this.#history.push(record);
    return record.kind === 'read' ? (record.seen[0]?.value ?? 0) : 0;
  }
}
