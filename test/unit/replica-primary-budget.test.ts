import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { PrimaryReadBudget } from '../../src/sharding/replication/primary-read-budget.js';

const LIMITS = { concurrency: 2, queueMax: 3, waitMs: 1_000 };

/** A read that ends when it is told to. */
class Read {
  started = false;
  readonly outcome: Promise<string>;
  #end: (() => void) | undefined;
  #fail: ((error: Error) => void) | undefined;

  constructor(budget: PrimaryReadBudget, name: string) {
    this.outcome = budget.run(() => {
      this.started = true;
      return new Promise((resolve, reject) => {
        this.#end = () => {
          resolve(name);
        };
        this.#fail = reject;
      });
    });
    this.outcome.catch(() => undefined);
  }

  async end(): Promise<void> {
    this.#end?.();
    await this.outcome;
    await Promise.resolve();
  }

  async fail(): Promise<void> {
    this.#fail?.(new Error('broken'));
    await expect(this.outcome).rejects.toThrow('broken');
    await Promise.resolve();
  }
}

function reads(budget: PrimaryReadBudget, count: number): Read[] {
  return Array.from({ length: count }, (_, index) => new Read(budget, `read ${index}`));
}

const startedOf = (list: readonly Read[]): boolean[] => list.map(({ started }) => started);

describe('the budget of reads on a primary', () => {
  beforeEach(() => {
    jest.useFakeTimers();
  });
  afterEach(() => {
    jest.useRealTimers();
  });

  it('runs so many at once, and the others in the order in which they came', async () => {
    const budget = new PrimaryReadBudget(LIMITS);
    const list = reads(budget, 5);
    expect(startedOf(list)).toEqual([true, true, false, false, false]);
    await list[1]?.end();
    expect(startedOf(list)).toEqual([true, true, true, false, false]);
    await list[0]?.end();
    expect(startedOf(list)).toEqual([true, true, true, true, false]);
    for (const read of list.slice(2)) await read.end();
    expect(await Promise.all(list.map(({ outcome }) => outcome))).toEqual([
      'read 0',
      'read 1',
      'read 2',
      'read 3',
      'read 4',
    ]);
    expect(budget.use).toEqual({ running: 0, waiting: 0 });
  });

  it('hands on the place of a read that failed', async () => {
    const budget = new PrimaryReadBudget({ ...LIMITS, concurrency: 1 });
    const list = reads(budget, 2);
    await list[0]?.fail();
    expect(startedOf(list)).toEqual([true, true]);
    await list[1]?.end();
    expect(budget.use).toEqual({ running: 0, waiting: 0 });
  });

  it('hands on the place of a read that throws instead of returning a promise', async () => {
    const budget = new PrimaryReadBudget({ ...LIMITS, concurrency: 1 });
    const thrown = budget.run(() => {
      throw new Error('at once');
    });
    await expect(thrown).rejects.toThrow('at once');
    expect(budget.use.running).toBe(0);
  });

  it('refuses as overloaded when too many wait, and tells when to come back', async () => {
    const budget = new PrimaryReadBudget(LIMITS);
    const list = reads(budget, 6);
    await expect(list[5]?.outcome).rejects.toMatchObject({ code: 'overloaded', retryAfterSeconds: 1 });
    expect(list[5]?.started).toBe(false);
    expect(budget.use).toEqual({ running: 2, waiting: 3 });
  });

  it('refuses as overloaded when its turn does not come in time, and gives its turn to the next', async () => {
    const budget = new PrimaryReadBudget({ ...LIMITS, concurrency: 1 });
    const [running, late] = reads(budget, 2);
    jest.advanceTimersByTime(500);
    const [patient] = reads(budget, 1);
    jest.advanceTimersByTime(500);
    await expect(late?.outcome).rejects.toMatchObject({ code: 'overloaded', retryAfterSeconds: 1 });
    await running?.end();
    expect(late?.started).toBe(false);
    expect(patient?.started).toBe(true);
    await patient?.end();
    expect(budget.use).toEqual({ running: 0, waiting: 0 });
  });

  it('lets nobody who comes later past those who wait', async () => {
    const budget = new PrimaryReadBudget({ ...LIMITS, concurrency: 1 });
    const [running, waiting] = reads(budget, 2);
    const ended = running?.end();
    const [late] = reads(budget, 1);
    await ended;
    expect(waiting?.started).toBe(true);
    expect(late?.started).toBe(false);
  });

  it('leaves no timer behind for a read whose turn came', async () => {
    const budget = new PrimaryReadBudget({ ...LIMITS, concurrency: 1 });
    const [first, second] = reads(budget, 2);
    await first?.end();
    expect(jest.getTimerCount()).toBe(0);
    await second?.end();
  });
});
