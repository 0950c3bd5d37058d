import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterAll } from '@jest/globals';
import type { ClusterConfig } from '../../../src/sharding/cluster/cluster-config.js';
import type { Mechanism } from './mechanism.js';
import type { FromProcess, LoadRequest, ToProcess } from './process-messages.js';
import type { CellField, Operation, OperationRecord, ProcessName } from './records.js';
import { SlowWire } from './slow-wire.js';

const STOP_TIMEOUT_MS = 10_000;

const running = new Set<GatewayWorker>();

afterAll(async () => {
  await Promise.all(Array.from(running, (worker) => worker.stop()));
}, 30_000);

/** One of the two gateway processes, as the test sees it. Stopped after the test file. */
export class GatewayWorker {
  readonly name: ProcessName;
  /** Between it and the primary. */
  readonly wire: SlowWire;
  readonly #child: ChildProcess;
  readonly #waiting = new Map<
    number,
    { resolve: (answer: FromProcess) => void; reject: (error: Error) => void }
  >();
  #calls = 0;

  private constructor(name: ProcessName, wire: SlowWire, child: ChildProcess) {
    this.name = name;
    this.wire = wire;
    this.#child = child;
    child.on('message', (answer: FromProcess) => {
      const waiting = this.#waiting.get(answer.call);
      this.#waiting.delete(answer.call);
      if (answer.failure === undefined) waiting?.resolve(answer);
      else waiting?.reject(new Error(`The ${name} process: ${answer.failure}`));
    });
    child.once('exit', () => {
      for (const { reject } of this.#waiting.values()) reject(new Error(`The ${name} process has ended.`));
      running.delete(this);
    });
  }

  /** Starts one on these servers. */
  static async start(name: ProcessName, config: ClusterConfig): Promise<GatewayWorker> {
    const [shard, ...others] = config.shards;
    if (shard === undefined) throw new Error('There is no shard.');
    const wire = await SlowWire.to(shard.primary.url);
    const child = fork(fileURLToPath(new URL('./history-process.ts', import.meta.url)), [], {
      execArgv: ['--import', fileURLToPath(new URL('../register-typescript.js', import.meta.url))],
      serialization: 'advanced',
    });
    const worker = new GatewayWorker(name, wire, child);
    running.add(worker);
    const primary = { ...shard.primary, url: wire.url };
    const shards = [{ ...shard, primary }, ...others];
    await worker.#ask({ kind: 'start', name, config: { ...config, shards } });
    return worker;
  }

  /** Makes a tenant's rows. */
  async makeCells(tenantId: string): Promise<CellField> {
    return { tenantId, ids: (await this.#ask({ kind: 'make cells', tenantId })).ids ?? [] };
  }

  /** Says which rows there are. */
  async meetCells(field: CellField): Promise<void> {
    await this.#ask({ kind: 'meet cells', ...field });
  }

  /** Takes mechanisms out of its cache. @param mechanisms whose answers are to do without each */
  async takeOut(mechanisms: Readonly<Record<Mechanism, string>>): Promise<void> {
    await this.#ask({ kind: 'take out', mechanisms });
  }

  /** Runs one operation on a tenant's cells through this process. */
  async perform(tenantId: string, client: string, operation: Operation): Promise<OperationRecord> {
    const { record } = await this.#ask({ kind: 'perform', tenantId, client, operation });
    if (record === undefined) throw new Error('There is no record of the operation.');
    return record;
  }

  /** Lets its own clients run, until they are to finish. */
  async load(request: LoadRequest): Promise<void> {
    await this.#ask({ kind: 'load', ...request });
  }

  /** What a tenant's have done so far, and how long at most its event loop was late, ms. */
  async look(tenantId: string): Promise<{ history: readonly OperationRecord[]; delayMs: number }> {
    const { history = [], delayMs = 0 } = await this.#ask({ kind: 'look', tenantId });
    return { history, delayMs };
  }

  /** Ends a tenant's. @returns what they did, and how long at most its event loop was late, ms */
  async finish(tenantId: string): Promise<{ history: readonly OperationRecord[]; delayMs: number }> {
    const { history = [], delayMs = 0 } = await this.#ask({ kind: 'finish', tenantId });
    return { history, delayMs };
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exited = once(this.#child, 'exit');
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), STOP_TIMEOUT_MS);
    await this.#ask({ kind: 'stop' }).catch(() => undefined);
    if (this.#child.connected) this.#child.disconnect();
    await exited;
    clearTimeout(timer);
    this.wire.close();
  }

  #ask(message: ToProcess): Promise<FromProcess> {
    this.#calls += 1;
    const call = this.#calls;
    return new Promise((resolve, reject) => {
      this.#waiting.set(call, { resolve, reject });
      this.#child.send({ ...message, call });
    });
  }
}
