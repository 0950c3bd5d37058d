import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterAll } from '@jest/globals';
import type { ClusterConfig } from '../../../src/sharding/cluster/cluster-config.js';
import type { FromProcess, LoadRequest, ToProcess } from './process-messages.js';
import type { Operation, OperationRecord, ProcessName } from './records.js';

const STOP_TIMEOUT_MS = 10_000;

const running = new Set<GatewayWorker>();

afterAll(async () => {
  await Promise.all(Array.from(running, (worker) => worker.stop()));
}, 30_000);

/** One of the two gateway processes, as the test sees it. Stopped after the test file. */
export class GatewayWorker {
  readonly name: ProcessName;
  readonly #child: ChildProcess;
  readonly #waiting = new Map<
    number,
    { resolve: (answer: FromProcess) => void; reject: (error: Error) => void }
  >();
  #calls = 0;

  private constructor(name: ProcessName, child: ChildProcess) {
    this.name = name;
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
    const child = fork(fileURLToPath(new URL('./history-process.ts', import.meta.url)), [], {
      execArgv: ['--import', fileURLToPath(new URL('../register-typescript.js', import.meta.url))],
      serialization: 'advanced',
    });
    const worker = new GatewayWorker(name, child);
    running.add(worker);
    await worker.#ask({ kind: 'start', name, config });
    return worker;
  }

  /** Makes the rows. @returns their ids, by the index of the cell */
  async makeCells(): Promise<readonly string[]> {
    return (await this.#ask({ kind: 'make cells' })).ids ?? [];
  }

  /** Says which rows there are. */
  async meetCells(ids: readonly string[]): Promise<void> {
    await this.#ask({ kind: 'meet cells', ids });
  }

  /** Runs one operation through this process. */
  async perform(client: string, operation: Operation): Promise<OperationRecord> {
    const { record } = await this.#ask({ kind: 'perform', client, operation });
    if (record === undefined) throw new Error('There is no record of the operation.');
    return record;
  }

  /** Lets its own clients run. */
  async load(request: LoadRequest): Promise<void> {
    await this.#ask({ kind: 'load', ...request });
  }

  /** Waits until they are done. @returns what they did, and how long at most its event loop was late, ms */
  async finish(): Promise<{ history: readonly OperationRecord[]; delayMs: number }> {
    const { history = [], delayMs = 0 } = await this.#ask({ kind: 'finish' });
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
