import { spawn, type ChildProcess } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { NodeDirectory } from './node-directory.js';
import { endProcessesOf } from './node-processes.js';
import { signalProcess } from './process-table.js';
import { cannotFollow } from './replication-state.js';
import { spawnOptionsFor, type RunAs } from './run-as.js';
import type { ServerBinaries } from './server-binaries.js';

const READY_POLL_MS = 20;
/** About once a second. */
const POLLS_PER_LOG_CHECK = 50;
/** Generous: after a crash the server replays its log before it is ready. */
const READY_TIMEOUT_MS = 120_000;
/** Line of `postmaster.pid` on which the server says how far it is. */
const STATUS_LINE = 7;

/** A server that ended or hung before it was ready; `serverLog` is what it had to say. */
export class ServerStartError extends Error {
  readonly serverLog: string;
  /** The file that holds the log. */
  readonly logFile: string;

  constructor(message: string, serverLog: string, logFile: string) {
    super(message);
    this.name = 'ServerStartError';
    this.serverLog = serverLog;
    this.logFile = logFile;
  }

  /** Somebody took the port between its choice and its use. */
  get portTaken(): boolean {
    return /Address already in use|could not bind/.test(this.serverLog);
  }
}

/** One run of one PostgreSQL server, from its start to its end. */
export class PostgresServer {
  readonly #directory: NodeDirectory;
  readonly #child: ChildProcess;
  readonly #logOffset: number;
  readonly #exited: Promise<void>;
  #running = true;

  private constructor(directory: NodeDirectory, child: ChildProcess, logOffset: number) {
    this.#directory = directory;
    this.#child = child;
    this.#logOffset = logOffset;
    this.#exited = new Promise((resolve) => {
      const ended = (): void => {
        this.#running = false;
        resolve();
      };
      child.once('exit', ended);
      child.once('error', ended);
    });
    // The watchdog ends servers whose owner forgot them; they must not keep the owner's event loop alive.
    child.unref();
  }

  /**
   * Starts a server on a data directory whose left-over processes have been ended, and waits until it accepts
   * connections.
   *
   * @throws ServerStartError when it ends before, when it does not get there in two minutes, or when the signal
   *   comes first; nothing is left running
   */
  static async start(
    binaries: ServerBinaries,
    directory: NodeDirectory,
    runAs: RunAs,
    signal: AbortSignal,
  ): Promise<PostgresServer> {
    const log = await directory.openLog();
    try {
      const child = spawn(binaries.postgres, ['-D', directory.data], {
        ...spawnOptionsFor(runAs),
        stdio: ['ignore', log.fd, log.fd],
        // A group of its own: Ctrl-C in the owner's terminal is the owner's to handle.
        detached: true,
      });
      const server = new PostgresServer(directory, child, log.startOffset);
      await server.#untilReady(signal);
      return server;
    } finally {
      await log.close();
    }
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** Resolves when the server's main process has ended. */
  get exited(): Promise<void> {
    return this.#exited;
  }

  /** What this run has logged so far. */
  readLog(): Promise<string> {
    return this.#directory.readLog(this.#logOffset);
  }

  /** Asks the server to read its settings again. */
  reload(): void {
    this.#signal('SIGHUP');
  }

  /**
   * Ends the server: `fast` leaves its data as after a checkpoint and lets replicas have the rest of the log;
   * `immediate` is like a crash. After `timeoutMs` its processes are killed.
   */
  async stop(mode: 'fast' | 'immediate', timeoutMs: number): Promise<void> {
    if (!this.#running) return;
    this.#signal(mode === 'fast' ? 'SIGINT' : 'SIGQUIT');
    // A stopped process (SIGSTOP) hears of the end only when it goes on.
    this.#signal('SIGCONT');
    const timer = new AbortController();
    await Promise.race([
      this.#exited,
      sleep(timeoutMs, undefined, { signal: timer.signal }).catch(() => undefined),
    ]);
    timer.abort();
    if (this.isRunning()) await endProcessesOf(this.#directory);
    await this.#exited;
  }

  /** Whether the server's main process is there. */
  isRunning(): boolean {
    return this.#running;
  }

  async #untilReady(signal: AbortSignal): Promise<void> {
    const deadline = performance.now() + READY_TIMEOUT_MS;
    for (let poll = 1; this.#running; poll += 1) {
      if ((await this.#readStatus()) === 'ready') return;
      const hopeless = poll % POLLS_PER_LOG_CHECK === 0 && cannotFollow(await this.readLog());
      if (hopeless || signal.aborted || performance.now() > deadline) {
        await this.stop('immediate', 5_000);
        throw await this.#failure('was not ready in time');
      }
      await sleep(READY_POLL_MS);
    }
    throw await this.#failure('ended before it was ready');
  }

  async #failure(message: string): Promise<ServerStartError> {
    return new ServerStartError(message, await this.readLog(), this.#directory.logFile);
  }

  async #readStatus(): Promise<string | undefined> {
    const content = await readFile(join(this.#directory.data, 'postmaster.pid'), 'utf8').catch(() => '');
    const lines = content.split('\n');
    return Number(lines[0]) === this.#child.pid ? lines[STATUS_LINE]?.trim() : undefined;
  }

  #signal(signal: NodeJS.Signals): void {
    if (this.#running && this.#child.pid !== undefined) signalProcess(this.#child.pid, signal);
  }
}
