import { setTimeout as sleep } from 'node:timers/promises';
import { eventually } from '../eventually.js';

/** How one request ended. */
export interface LoadOutcome {
  readonly status: number;
  /** What was wrong with the answer; undefined when it was right. */
  readonly fault: string | undefined;
}

/** One request of a load. Times are in milliseconds of `performance.now()`. */
export interface LoadSample extends LoadOutcome {
  readonly label: string;
  readonly startedAtMs: number;
  readonly durationMs: number;
}

/** One client of a load: it sends a request, waits for its answer, pauses, and sends the next one. */
export interface LoadClient {
  /** Under which its samples are found. */
  readonly label: string;
  readonly send: (turn: number) => Promise<LoadOutcome>;
}

/** How long a load may take to send as many requests as a test waits for. */
const PROGRESS_TIMEOUT_MS = 60_000;

/**
 * Clients that keep sending, each with a pause between two requests, so that the machine is busy and not
 * overrun: what is measured is the service, not the queue before it.
 */
export class SteadyLoad {
  readonly #samples: LoadSample[] = [];
  readonly #done: Promise<unknown>;
  #isStopping = false;

  private constructor(clients: readonly LoadClient[], pauseMs: number) {
    this.#done = Promise.all(
      clients.map((client, index) => this.#run(client, pauseMs, index / clients.length)),
    );
  }

  /** Starts them, spread over one pause. */
  static start(clients: readonly LoadClient[], pauseMs: number): SteadyLoad {
    return new SteadyLoad(clients, pauseMs);
  }

  /** Waits until so many more requests of this label have been answered. @returns from when to when */
  async window(label: string, count: number): Promise<LoadWindow> {
    const fromMs = performance.now();
    const answered = (): number => this.#samples.filter((sample) => sample.label === label).length;
    const goal = answered() + count;
    await eventually(`${count} requests of ${label}`, () => answered() >= goal, PROGRESS_TIMEOUT_MS);
    return { fromMs, toMs: performance.now() };
  }

  /** Stops the clients after their request under way. @returns every request that was sent */
  async stop(): Promise<readonly LoadSample[]> {
    this.#isStopping = true;
    await this.#done;
    return this.#samples;
  }

  async #run({ label, send }: LoadClient, pauseMs: number, phase: number): Promise<void> {
    await sleep(phase * pauseMs);
    for (let turn = 0; !this.#isStopping; turn += 1) {
      const startedAtMs = performance.now();
      const outcome = await send(turn).catch(unanswered);
      this.#samples.push({ label, startedAtMs, durationMs: performance.now() - startedAtMs, ...outcome });
      await sleep(pauseMs);
    }
  }
}

/** A stretch of time within a load. */
export interface LoadWindow {
  readonly fromMs: number;
  readonly toMs: number;
}

/** The time below which this share of the requests that began in the window were answered. */
export function percentileMs(
  samples: readonly LoadSample[],
  { fromMs, toMs }: LoadWindow,
  share: number,
): number {
  const durations = samples
    .filter(({ startedAtMs }) => startedAtMs >= fromMs && startedAtMs < toMs)
    .map(({ durationMs }) => durationMs)
    .sort((a, b) => a - b);
  const value = durations[Math.ceil(durations.length * share) - 1];
  if (value === undefined) throw new Error('No request began in that time.');
  return value;
}

function unanswered(error: unknown): LoadOutcome {
  return { status: 0, fault: `no answer: ${String(error)}` };
}
