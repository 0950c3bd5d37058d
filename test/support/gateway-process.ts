import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll } from '@jest/globals';
import { eventually } from './eventually.js';
import { RUN_DIRECTORY_VARIABLE } from './shared-cluster.js';

const CLI = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
const READY_TIMEOUT_MS = 40_000;
const STOP_TIMEOUT_MS = 20_000;

/** The operator's key of every gateway that tests start, unless they say otherwise. */
export const OPERATOR_KEY = 'operator-key-of-the-tests';

/** How a gateway process is started. */
export interface GatewayProcessOptions {
  /** The servers to join, as an object of the options' shape. Without it the embedded cluster starts. */
  readonly config?: object;
  /** Further arguments of `start`. */
  readonly args?: readonly string[];
  /** Further environment; undefined takes a variable away. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** What to wait for: by default that it is ready; `live` where servers are away that it needs to be so. */
  readonly until?: 'live' | 'ready';
}

/** How a command ended. */
export interface CommandOutcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

const running = new Set<GatewayProcess>();
const directories: string[] = [];

afterAll(async () => {
  await Promise.all([...running].map((gateway) => gateway.stop()));
  for (const directory of directories) rmSync(directory, { recursive: true, force: true });
}, 60_000);

/** A directory of the test file's own; removed when the file is done. */
export function newDirectory(name = 'shardgate e2e '): string {
  const directory = mkdtempSync(join(process.env[RUN_DIRECTORY_VARIABLE] ?? tmpdir(), name));
  directories.push(directory);
  return directory;
}

/** A real gateway in a process of its own, as `npx shardgate start` runs it. Stopped after the test file. */
export class GatewayProcess {
  readonly url: string;
  readonly #child: ChildProcess;
  readonly #output: { stdout: string; stderr: string };

  private constructor(url: string, child: ChildProcess, output: { stdout: string; stderr: string }) {
    this.url = url;
    this.#child = child;
    this.#output = output;
  }

  /** Starts one and waits until it is ready, or live. Needs `npm run build` before. */
  static async start(options: GatewayProcessOptions = {}): Promise<GatewayProcess> {
    const port = await freePort();
    const child = spawnCli(['start', '--port', String(port), ...(options.args ?? [])], options);
    const gateway = new GatewayProcess(`http://127.0.0.1:${port}`, child, collect(child));
    running.add(gateway);
    child.once('exit', () => running.delete(gateway));
    const exited = once(child, 'exit').then(() => {
      throw new Error(`The gateway ended before it was ready:\n${gateway.stderr}`);
    });
    // What it prints comes after everything else of its start.
    const { until = 'ready' } = options;
    const ready = eventually(
      `the gateway is ${until}`,
      async () => (await fetch(`${gateway.url}/health/${until}`)).ok && gateway.stdout.includes('Ctrl-C'),
      READY_TIMEOUT_MS,
    );
    ready.catch(() => undefined);
    exited.catch(() => undefined);
    await Promise.race([ready, exited]);
    return gateway;
  }

  /** What it printed for people. */
  get stdout(): string {
    return this.#output.stdout;
  }

  /** Its log: JSON lines. */
  get stderr(): string {
    return this.#output.stderr;
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** Sends a request; a body is sent as JSON, with a key as Bearer. */
  request(
    path: string,
    init: {
      method?: string;
      key?: string | undefined;
      body?: unknown;
      headers?: Record<string, string>;
    } = {},
  ): Promise<Response> {
    const { method = init.body === undefined ? 'GET' : 'POST', key, body, headers = {} } = init;
    return fetch(this.url + path, {
      method,
      headers: {
        ...(key !== undefined && { authorization: `Bearer ${key}` }),
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
  }

  /** Makes a tenant with the tests' operator key. @returns its key */
  async createTenant(id: string, more: object = {}): Promise<string> {
    const body = { id, name: id, ...more };
    const answer = await this.request('/v1/admin/tenants', { key: OPERATOR_KEY, body });
    const text = await answer.text();
    if (answer.status !== 201) throw new Error(`The tenant was not made: ${text}`);
    return (JSON.parse(text) as { apiKey: string }).apiKey;
  }

  /** Asks it to end, and waits until it has. @returns its exit code */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      const exited = once(this.#child, 'exit');
      this.#child.kill(signal);
      const timer = setTimeout(() => this.#child.kill('SIGKILL'), STOP_TIMEOUT_MS);
      await exited;
      clearTimeout(timer);
    }
    return this.#child.exitCode;
  }
}

/** Runs one command of the command line to its end. */
export async function runCli(
  args: readonly string[],
  options: Pick<GatewayProcessOptions, 'config' | 'env'> = {},
): Promise<CommandOutcome> {
  const child = spawnCli(args, options);
  const output = collect(child);
  const timer = setTimeout(() => child.kill('SIGKILL'), READY_TIMEOUT_MS);
  await once(child, 'close');
  clearTimeout(timer);
  return { code: child.exitCode, ...output };
}

function spawnCli(
  args: readonly string[],
  { config, env = {} }: Pick<GatewayProcessOptions, 'config' | 'env'>,
): ChildProcess {
  if (!existsSync(CLI))
    throw new Error('dist/cli/main.js is missing; run "npm run build" before these tests.');
  return spawn(process.execPath, [CLI, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      PATH: process.env.PATH,
      HOME: process.env.HOME,
      LOG_LEVEL: 'info',
      SHARDGATE_OPERATOR_KEY: OPERATOR_KEY,
      ...(config !== undefined && { SHARDGATE_CONFIG: writeConfig(config) }),
      ...env,
    },
  });
}

function collect(child: ChildProcess): { stdout: string; stderr: string } {
  const output = { stdout: '', stderr: '' };
  child.stdout?.on('data', (chunk: Buffer) => (output.stdout += chunk.toString()));
  child.stderr?.on('data', (chunk: Buffer) => (output.stderr += chunk.toString()));
  return output;
}

function writeConfig(config: object): string {
  const path = join(newDirectory(), 'servers.json');
  writeFileSync(path, JSON.stringify(config), { mode: 0o600 });
  return path;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
