import { setTimeout as sleep } from 'node:timers/promises';
import type { Log } from '../../common/log.js';
import { Backoff } from './backoff.js';
import type { NodeDirectory } from './node-directory.js';
import { endProcessesOf, processesOf } from './node-processes.js';
import type { NodeSpec } from './node-spec.js';
import { PostgresServer } from './postgres-server.js';
import { signalProcess } from './process-table.js';
import type { RunAs } from './run-as.js';
import type { ServerBinaries } from './server-binaries.js';

/** What a node does: `held` is down on purpose, `restarting` is down and about to be started again. */
export type NodeState = 'down' | 'starting' | 'running' | 'restarting' | 'held';

/** A signal that a test may send to a node. */
export type FaultSignal = 'SIGKILL' | 'SIGSTOP' | 'SIGCONT' | 'SIGTERM';

const RESTART_PAUSE_MIN_MS = 100;
const RESTART_PAUSE_MAX_MS = 10_000;
const STABLE_MS = 10_000;
const FAST_STOP_TIMEOUT_MS = 20_000;
const IMMEDIATE_STOP_TIMEOUT_MS = 6_000;

/** One server that is started again whenever it ends by itself. */
export class SupervisedNode {
  readonly spec: NodeSpec;
  readonly directory: NodeDirectory;
  readonly #binaries: ServerBinaries;
  readonly #runAs: RunAs;
  readonly #log: Log;
  #server: PostgresServer | undefined;
  #state: NodeState = 'down';
  #failedStarts = 0;
  #frozen = false;
  #supervision: { readonly abort: AbortController; readonly done: Promise<void> } | undefined;

  constructor(spec: NodeSpec, directory: NodeDirectory, binaries: ServerBinaries, runAs: RunAs, log: Log) {
    this.spec = spec;
    this.directory = directory;
    this.#binaries = binaries;
    this.#runAs = runAs;
    this.#log = log;
  }

  get state(): NodeState {
    return this.#state;
  }

  /** The pid of the server's main process, while it runs. */
  get pid(): number | undefined {
    return this.#server?.isRunning() === true ? this.#server.pid : undefined;
  }

  /** How often in a row the server could not be started again; 0 once it was. */
  get failedStarts(): number {
    return this.#failedStarts;
  }

  /** What the present or latest run of the server has logged. */
  async readLog(): Promise<string> {
    return (await this.#server?.readLog()) ?? '';
  }

  /**
   * Starts the server, waits until it accepts connections, and supervises it from then on.
   *
   * @param cancel ends an attempt that is under way
   * @throws ServerStartError when it does not get there; it is not supervised then
   */
  async start(cancel: AbortSignal): Promise<void> {
    if (this.#supervision !== undefined) return;
    this.#state = 'starting';
    try {
      await this.#startServer(cancel);
    } catch (error) {
      this.#state = 'down';
      throw error;
    }
    const abort = new AbortController();
    this.#supervision = { abort, done: this.#supervise(abort.signal) };
  }

  /** Ends the server and its supervision. */
  async stop(mode: 'fast' | 'immediate', finalState: 'down' | 'held' = 'down'): Promise<void> {
    const supervision = this.#supervision;
    supervision?.abort.abort();
    // Processes that were stopped by SIGSTOP hear of the end only when they go on.
    if (this.#frozen) await this.signal('SIGCONT');
    await this.#server?.stop(mode, mode === 'fast' ? FAST_STOP_TIMEOUT_MS : IMMEDIATE_STOP_TIMEOUT_MS);
    await supervision?.done;
    // A restart that was under way when supervision ended may have made another one.
    await this.#server?.stop(mode, IMMEDIATE_STOP_TIMEOUT_MS);
    this.#supervision = undefined;
    this.#failedStarts = 0;
    this.#state = finalState;
  }

  /** Sends a signal to the main process, and to all the others too where it would be without effect otherwise. */
  async signal(signal: FaultSignal): Promise<void> {
    if (signal === 'SIGSTOP') this.#frozen = true;
    if (signal === 'SIGCONT' || signal === 'SIGKILL') this.#frozen = false;
    const pids = await processesOf(this.directory);
    const { pid } = this;
    const targets = signal === 'SIGTERM' ? [pid] : [pid, ...pids.filter((other) => other !== pid)];
    for (const target of targets) {
      if (target !== undefined) signalProcess(target, signal);
    }
    // From here on the state is what the signal made of it.
    if (signal === 'SIGKILL') await this.#server?.exited;
  }

  /** Makes the server read its settings again. */
  reload(): void {
    this.#server?.reload();
  }

  async #startServer(signal: AbortSignal): Promise<void> {
    await endProcessesOf(this.directory);
    this.#server = await PostgresServer.start(this.#binaries, this.directory, this.#runAs, signal);
    this.#state = 'running';
  }

  async #supervise(signal: AbortSignal): Promise<void> {
    const backoff = new Backoff(RESTART_PAUSE_MIN_MS, RESTART_PAUSE_MAX_MS, STABLE_MS);
    let startedAt = performance.now();
    while (!signal.aborted) {
      await this.#server?.exited;
      if (aborted(signal)) return;
      this.#state = 'restarting';
      const pauseMs = backoff.next(performance.now() - startedAt);
      this.#log.warn({ node: this.spec.id, pauseMs }, 'a server ended and is started again');
      await sleep(pauseMs, undefined, { signal, ref: false }).catch(() => undefined);
      if (aborted(signal)) return;
      startedAt = performance.now();
      try {
        await this.#startServer(signal);
        this.#failedStarts = 0;
        this.#log.info(
          { node: this.spec.id, durationMs: Math.round(performance.now() - startedAt) },
          'a server is back',
        );
      } catch (error) {
        this.#failedStarts += 1;
        this.#log.error({ node: this.spec.id, reason: String(error) }, 'a server did not start again');
      }
    }
  }
}

/** Read anew: an awaited pause may have changed it, which the compiler does not know of. */
function aborted(signal: AbortSignal): boolean {
  return signal.aborted;
}
