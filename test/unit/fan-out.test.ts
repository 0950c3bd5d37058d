import { describe, expect, it } from '@jest/globals';
import { PoolExhaustedError, ShardUnavailableError } from '../../src/common/gateway-error.js';
import { fanOut } from '../../src/sharding/scatter-gather/fan-out.js';

const SHARDS = ['s0', 's1', 's2', 's3'];
const OPTIONS = { concurrency: 4, deadlineMs: 20_000 };

/** Resolves with the reason when the signal is aborted. */
function aborted(signal: AbortSignal): Promise<unknown> {
  return new Promise((resolve) => {
    signal.addEventListener('abort', () => {
      resolve(signal.reason);
    });
  });
}

const never = (): Promise<string> => new Promise(() => undefined);

describe('the fan-out', () => {
  it('gives every answer under its shard, in the order of the shards', async () => {
    const answers: (() => void)[] = [];
    const outcome = fanOut(
      SHARDS,
      (id) =>
        new Promise<string>((resolve) => {
          answers.push(() => {
            resolve(`from ${id}`);
          });
          if (answers.length === SHARDS.length) for (const answer of answers.reverse()) answer();
        }),
      OPTIONS,
    );
    const { results, missingShards } = await outcome;
    expect([...results]).toEqual(SHARDS.map((id) => [id, `from ${id}`]));
    expect(missingShards).toEqual([]);
  });

  it('asks no more shards at once than it may', async () => {
    let running = 0;
    let most = 0;
    await fanOut(
      SHARDS,
      async () => {
        running += 1;
        most = Math.max(most, running);
        await new Promise(setImmediate);
        running -= 1;
      },
      { ...OPTIONS, concurrency: 2 },
    );
    expect(most).toBe(2);
  });

  it('rejects with the first failure at once, aborts the others and starts no more', async () => {
    const failure = new ShardUnavailableError('s1', 'it is down.');
    const reasons: Promise<unknown>[] = [];
    const started: string[] = [];
    const outcome = fanOut(
      SHARDS,
      (id, signal) => {
        started.push(id);
        if (id === 's1') return Promise.reject(failure);
        reasons.push(aborted(signal));
        return never();
      },
      { ...OPTIONS, concurrency: 2 },
    );
    await expect(outcome).rejects.toBe(failure);
    expect(await Promise.all(reasons)).toEqual([failure]);
    expect(started).toEqual(['s0', 's1']);
  });

  it('names the shards that are away when a partial answer will do', async () => {
    const { results, missingShards } = await fanOut(
      SHARDS,
      (id) => {
        if (id === 's1') return Promise.reject(new ShardUnavailableError(id, 'it is down.'));
        if (id === 's3') return Promise.reject(new PoolExhaustedError(id, 10));
        return Promise.resolve(id);
      },
      { ...OPTIONS, partial: true },
    );
    expect([...results.keys()]).toEqual(['s0', 's2']);
    expect(missingShards).toEqual(['s1', 's3']);
  });

  it('fails for any other reason, partial or not', async () => {
    const fault = new TypeError('a bug');
    const run = (id: string): Promise<string> => (id === 's2' ? Promise.reject(fault) : Promise.resolve(id));
    await expect(fanOut(SHARDS, run, { ...OPTIONS, partial: true })).rejects.toBe(fault);
  });

  it('fails a shard that has not answered by the deadline, even one that ignores its signal', async () => {
    const outcome = fanOut(['s0', 's1'], (id) => (id === 's1' ? never() : Promise.resolve(id)), {
      concurrency: 2,
      deadlineMs: 5,
    });
    await expect(outcome).rejects.toMatchObject({ code: 'shard_unavailable', shardId: 's1' });
  });

  it('has one deadline for all: shards still waiting for their turn are missing too', async () => {
    const started: string[] = [];
    const { results, missingShards } = await fanOut(
      SHARDS,
      (id) => {
        started.push(id);
        return id === 's0' ? Promise.resolve(id) : never();
      },
      { concurrency: 1, deadlineMs: 5, partial: true },
    );
    expect([...results.keys()]).toEqual(['s0']);
    expect(missingShards).toEqual(['s1', 's2', 's3']);
    expect(started).toEqual(['s0', 's1']);
  });

  it('answers for no shards at all', async () => {
    const { results, missingShards } = await fanOut([], never, OPTIONS);
    expect([results.size, missingShards]).toEqual([0, []]);
  });
});
