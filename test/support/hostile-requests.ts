import type { GatewayProcess } from './gateway-process.js';
import { faultOf, leakIn, STATUSES_OF_PARSER } from './hostile/answer-judge.js';
import { HostileClient } from './hostile/hostile-client.js';
import { HostileGenerator } from './hostile/hostile-generator.js';
import type { HostileWorld } from './hostile/hostile-world.js';
import type { Operation } from './hostile/openapi-document.js';
import { rawRequests, type RawRequest } from './hostile/raw-requests.js';
import type { HostileRequest } from './hostile/request-draft.js';
import { SeededRandom } from './hostile/seeded-random.js';

const SOCKETS = 16;
const RAW_ROUNDS = 3;
/** After how many requests the service is asked whether it is still well. */
const HEALTH_EVERY = 250;
/** Bodies are as long as a megabyte; a failure shows their beginning. */
const SHOWN_CHARS = 600;

/** What is sent and what came of it. */
export interface HostileRun {
  /** How many answers there were, by status. */
  readonly statuses: ReadonlyMap<number, number>;
  /** How many requests were made from each operation. */
  readonly requests: ReadonlyMap<string, number>;
  /** Statuses that an operation of a body answered with, and does not document. */
  readonly undocumented: ReadonlySet<string>;
  /** Each with the request that it was found with. */
  readonly faults: readonly string[];
}

/** How a run is made. */
export interface HostileRunOptions {
  readonly seed: number;
  /** How many requests have two things wrong with them, besides one request for each thing that can be. */
  readonly pairs: number;
}

/** Sends hostile requests made from the operations to a gateway, 16 at a time, and judges every answer. */
export async function runHostileRequests(
  gateway: GatewayProcess,
  operations: readonly Operation[],
  world: HostileWorld,
  { seed, pairs }: HostileRunOptions,
): Promise<HostileRun> {
  const random = new SeededRandom(seed);
  const client = new HostileClient(gateway.url, SOCKETS);
  const run = new Run(gateway, client, operations, world, seed);
  const generated = new HostileGenerator(operations, world, random).requests(pairs);
  const raw = Array.from({ length: RAW_ROUNDS }, () => rawRequests(world)).flat();
  const work = random.shuffled([
    ...generated.map((request) => () => run.send(request)),
    ...raw.map((request) => () => run.sendRaw(request)),
  ]);
  const next = work.values();
  await Promise.all(
    Array.from({ length: SOCKETS }, async () => {
      for (const one of next) await one();
    }),
  );
  client.close();
  return run;
}

class Run implements HostileRun {
  readonly statuses = new Map<number, number>();
  readonly requests = new Map<string, number>();
  readonly undocumented = new Set<string>();
  readonly faults: string[] = [];
  readonly #gateway: GatewayProcess;
  readonly #client: HostileClient;
  readonly #operations: ReadonlyMap<string, Operation>;
  readonly #world: HostileWorld;
  readonly #seed: number;
  #sent = 0;

  constructor(
    gateway: GatewayProcess,
    client: HostileClient,
    operations: readonly Operation[],
    world: HostileWorld,
    seed: number,
  ) {
    this.#gateway = gateway;
    this.#client = client;
    this.#operations = new Map(operations.map((operation) => [operation.name, operation]));
    this.#world = world;
    this.#seed = seed;
  }

  async send(request: HostileRequest): Promise<void> {
    await this.#checkHealth();
    count(this.requests, request.operation);
    try {
      const answer = await this.#client.send(request);
      count(this.statuses, answer.status);
      this.#noteUndocumented(request, answer.status);
      this.#note(faultOf(request, answer, this.#world), request, answer.text);
    } catch (error) {
      this.#note(error instanceof Error ? error.message : 'no answer', request);
    }
  }

  async sendRaw(request: RawRequest): Promise<void> {
    await this.#checkHealth();
    count(this.requests, 'raw');
    try {
      const text = await this.#client.sendRaw(request);
      const statuses = [...text.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => Number(status));
      for (const status of statuses) count(this.statuses, status);
      const wrong = statuses.find((status) => status >= 500);
      const tooFew = statuses.length < request.answers ? `${statuses.length} answers` : undefined;
      this.#note(wrong === undefined ? tooFew : `the status ${wrong}`, request, text);
      this.#note(leakIn(text, this.#world), request, text);
    } catch (error) {
      this.#note(error instanceof Error ? error.message : 'no answer', request);
    }
  }

  async #checkHealth(): Promise<void> {
    this.#sent += 1;
    if (this.#sent % HEALTH_EVERY !== 0) return;
    for (const path of ['/health/live', '/health/ready']) {
      const { status } = (await (await this.#gateway.request(path)).json()) as { status: string };
      if (status !== 'ok') this.faults.push(`After ${this.#sent} requests ${path} says ${status}.`);
    }
  }

  /** What Node's parser refuses no operation hears of; and with another method it is another operation, or none. */
  #noteUndocumented({ operation: name, method, target }: HostileRequest, status: number): void {
    const operation = this.#operations.get(name);
    if (operation?.body === undefined || operation.method !== method || STATUSES_OF_PARSER.has(status))
      return;
    if (!operation.statuses.includes(status)) this.undocumented.add(`${name}: ${status} for ${target}`);
  }

  /** Everything that it takes to send the request again by hand. */
  #note(fault: string | undefined, request: HostileRequest | RawRequest, answer = ''): void {
    if (fault === undefined) return;
    const bytes = 'bytes' in request ? request.bytes : request.body;
    const shown = { ...request, body: undefined, bytes: undefined };
    this.faults.push(
      [
        `Seed ${this.#seed}, ${request.what}: ${fault}`,
        `  request ${JSON.stringify(shown).slice(0, SHOWN_CHARS * 2)}`,
        `  body ${JSON.stringify(bytes?.toString('latin1').slice(0, SHOWN_CHARS) ?? null)}`,
        `  answer ${JSON.stringify(answer.slice(0, SHOWN_CHARS))}`,
      ].join('\n'),
    );
  }
}

function count<K>(counts: Map<K, number>, key: K): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}
