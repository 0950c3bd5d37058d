import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { SILENT_LOG } from '../../../src/common/log.js';
import { GatewayContext } from '../../../src/index.js';
import { resolveGatewayOptions } from '../../../src/gateway/gateway-options.js';
import { GatewayRuntime } from '../../../src/gateway/gateway-runtime.js';
import { SeededRandom } from '../hostile/seeded-random.js';
import { Cell, cellsOf, CreateCells1763800000400, nameOf, userOf } from './cell.js';
import { CellOperations } from './cell-operations.js';
import { ClientPlan } from './client-plan.js';
import { takeOut } from './mechanism.js';
import type { FromProcess, LoadRequest, ToProcess } from './process-messages.js';
import { sharedNowMs, type OperationRecord, type ProcessName } from './records.js';

/** Clients of this process that own no cell. */
const GUESTS = 3;

/** Writes come in waves, so that in between the cache has what it can answer. */
const WAVE_MS = 500;
const WRITES_IN_WAVE = 0.12;
const WRITES_BETWEEN = 0.01;
const PAUSE_MS_MAX = 4;

/** What is done to one tenant's cells. */
interface TenantPart {
  readonly operations: CellOperations;
  readonly history: OperationRecord[];
  load: Promise<unknown>;
  isOver: boolean;
}

/** One of the two gateways, in a process of its own, with clients of its own; it is told what to do over IPC. */
class HistoryProcess {
  readonly #runtime: GatewayRuntime;
  readonly #name: ProcessName;
  readonly #delay = monitorEventLoopDelay({ resolution: 5 });
  readonly #tenants = new Map<string, TenantPart>();

  private constructor(runtime: GatewayRuntime, name: ProcessName) {
    this.#runtime = runtime;
    this.#name = name;
  }

  static async start({ name, config }: Extract<ToProcess, { kind: 'start' }>): Promise<HistoryProcess> {
    const options = resolveGatewayOptions({
      ...config,
      entities: [Cell],
      migrations: [CreateCells1763800000400],
    });
    return new HistoryProcess(await GatewayRuntime.start(options, { log: SILENT_LOG }), name);
  }

  async handle(message: Exclude<ToProcess, { kind: 'start' }>): Promise<Omit<FromProcess, 'call'>> {
    switch (message.kind) {
      case 'make cells':
        return { ids: await this.#makeCells(message.tenantId) };
      case 'meet cells':
        this.#tenants.set(message.tenantId, {
          operations: new CellOperations(this.#runtime, this.#name, message),
          history: [],
          load: Promise.resolve(),
          isOver: false,
        });
        return {};
      case 'take out':
        takeOut(this.#runtime.cache.cache, message.mechanisms);
        return {};
      case 'perform':
        return {
          record: await this.#of(message.tenantId).operations.perform(message.client, message.operation),
        };
      case 'load': {
        const part = this.#of(message.tenantId);
        part.load = this.#run(part, message);
        return {};
      }
      case 'look':
        return this.#told(this.#of(message.tenantId));
      case 'finish': {
        const part = this.#of(message.tenantId);
        part.isOver = true;
        await part.load;
        this.#delay.disable();
        return this.#told(part);
      }
      case 'stop':
        await this.#runtime.close();
        return {};
    }
  }

  #of(tenantId: string): TenantPart {
    const part = this.#tenants.get(tenantId);
    if (part === undefined) throw new Error('The cells are not known yet.');
    return part;
  }

  #told({ history }: TenantPart): Omit<FromProcess, 'call'> {
    return { history, delayMs: this.#delay.max / 1e6 };
  }

  #makeCells(tenantId: string): Promise<string[]> {
    const make = (cell: number): Promise<{ id: string }> =>
      this.#runtime.gateway
        .repository(Cell)
        .forUser(userOf(cell))
        .save({ name: nameOf(cell), value: 0, writer: '' });
    return GatewayContext.run({ tenantId, actor: 'maker' }, async () => {
      const rows = await Promise.all(cellsOf().map(make));
      return rows.map(({ id }) => id);
    });
  }

  async #run(part: TenantPart, { seed }: LoadRequest): Promise<void> {
    this.#delay.enable();
    const owned = [...cellsOf(this.#name), ...Array<undefined>(GUESTS).fill(undefined)];
    const salt = this.#name === 'first' ? 1_000 : 2_000;
    await Promise.all(
      owned.map((cell, index) => {
        const plan = new ClientPlan(new SeededRandom(seed + salt + index), cell);
        return this.#runClient(part, { client: `${this.#name}.${index}`, plan });
      }),
    );
  }

  async #runClient(part: TenantPart, { client, plan }: { client: string; plan: ClientPlan }): Promise<void> {
    const { operations, history } = part;
    while (!part.isOver) {
      const isInWave = Math.floor(sharedNowMs() / WAVE_MS) % 2 === 0;
      const writes = plan.random.next() < (isInWave ? WRITES_IN_WAVE : WRITES_BETWEEN);
      const operation = writes ? plan.write() : { ...plan.read(), tokenOf: [] };
      const record = await operations.perform(client, operation);
      if (record.kind === 'write') plan.wrote(record);
      history.push(record);
      const pauseMs = Math.floor(plan.random.next() * PAUSE_MS_MAX);
      await (pauseMs === 0 ? nextTurn() : sleep(pauseMs));
    }
  }
}

let started: Promise<HistoryProcess> | undefined;

process.on('message', (message: ToProcess & { readonly call: number }) => {
  const { call } = message;
  const answer = async (): Promise<Omit<FromProcess, 'call'>> => {
    if (message.kind !== 'start') return (await started)?.handle(message) ?? {};
    started = HistoryProcess.start(message);
    await started;
    return {};
  };
  answer().then(
    (content) => process.send?.({ ...content, call }),
    (error: unknown) => process.send?.({ failure: String(error), call }),
  );
});

// Who started it is gone.
process.once('disconnect', () => process.exit());
