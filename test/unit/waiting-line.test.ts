import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { WaitingLine } from '../../src/sharding/connections/waiting-line.js';

const PATIENCE_MS = 100;

let line: WaitingLine<string>;

beforeEach(() => {
  jest.useFakeTimers();
  line = new WaitingLine<string>(PATIENCE_MS, () => new Error('out of patience'));
});

afterEach(() => {
  jest.useRealTimers();
});

/** What has become of each by now. */
function outcomesOf(waits: readonly Promise<string>[]): string[] {
  const outcomes = waits.map(() => 'waits');
  for (const [index, wait] of waits.entries()) {
    wait.then(
      (thing) => (outcomes[index] = thing),
      (error: unknown) => (outcomes[index] = error instanceof Error ? error.message : String(error)),
    );
  }
  return outcomes;
}

/** Lets promises settle. */
async function turn(): Promise<void> {
  await jest.advanceTimersByTimeAsync(0);
}

describe('WaitingLine', () => {
  it('serves who came first, each once', async () => {
    const outcomes = outcomesOf(Array.from({ length: 7 }, () => line.wait()));
    expect(['a', 'b', 'c'].map((thing) => line.serve(thing))).toEqual([true, true, true]);
    await turn();
    expect(outcomes).toEqual(['a', 'b', 'c', 'waits', 'waits', 'waits', 'waits']);
    expect(line.length).toBe(4);
  });

  it('has nobody to serve while nobody waits', () => {
    const later = jest.fn(() => Promise.resolve('never made'));
    expect([line.serve('a'), line.serveLater(later), line.length]).toEqual([false, false, 0]);
    expect(later).not.toHaveBeenCalled();
  });

  it('lets who is served later have what comes of it, a failure too', async () => {
    const outcomes = outcomesOf([line.wait(), line.wait()]);
    line.serveLater(() => Promise.resolve('made'));
    line.serveLater(() => Promise.reject(new Error('could not be made')));
    await turn();
    expect(outcomes).toEqual(['made', 'could not be made']);
  });

  it('tells each when its own time is over, and goes on serving the others', async () => {
    const early = outcomesOf([line.wait(), line.wait()]);
    await jest.advanceTimersByTimeAsync(PATIENCE_MS - 1);
    const late = outcomesOf([line.wait()]);
    expect(early).toEqual(['waits', 'waits']);
    await jest.advanceTimersByTimeAsync(2);
    expect([early, late]).toEqual([['out of patience', 'out of patience'], ['waits']]);
    await jest.advanceTimersByTimeAsync(PATIENCE_MS - 3);
    expect(late).toEqual(['waits']);
    expect(line.serve('in time')).toBe(true);
    await turn();
    expect(late).toEqual(['in time']);
  });

  it('keeps no clock for nobody', async () => {
    outcomesOf([line.wait()]);
    expect(jest.getTimerCount()).toBe(1);
    line.serve('a');
    expect(jest.getTimerCount()).toBe(0);
    outcomesOf([line.wait()]);
    await jest.advanceTimersByTimeAsync(PATIENCE_MS + 1);
    expect([jest.getTimerCount(), line.length]).toEqual([0, 0]);
  });

  it('sends everybody away at once', async () => {
    const outcomes = outcomesOf([line.wait(), line.wait()]);
    line.rejectAll(new Error('closed'));
    await turn();
    expect([outcomes, line.length, jest.getTimerCount()]).toEqual([['closed', 'closed'], 0, 0]);
  });
});
