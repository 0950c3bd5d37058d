import pLimit from 'p-limit';
import { GatewayError, ShardUnavailableError } from '../../common/gateway-error.js';

/** How a fan-out goes. */
export interface FanOutOptions {
  /** How many shards are asked at once. */
  readonly concurrency: number;
  /** When every shard must have answered, in milliseconds from now: one deadline for all, waiting included. */
  readonly deadlineMs: number;
  /** Whether a shard that is away is named in the answer, instead of failing the whole. Default: it fails. */
  readonly partial?: boolean;
}

/** What the shards answered. */
export interface FanOutOutcome<Result> {
  /** Shard to answer, in the order in which the shards were given. */
  readonly results: ReadonlyMap<string, Result>;
  /** Shards that were away or too late; always empty unless `partial`. */
  readonly missingShards: readonly string[];
}

/**
 * Asks several shards at once. The first failure aborts the others and rejects at once; with `partial`, only
 * a failure that means something else than "this shard is away" does.
 *
 * @param run asks one shard; its signal is aborted when the answer is of no use any more, and the fan-out
 *   does not wait for it then
 * @throws ShardUnavailableError for a shard that has not answered by the deadline
 */
export async function fanOut<Result>(
  shardIds: readonly string[],
  run: (shardId: string, signal: AbortSignal) => Promise<Result>,
  { concurrency, deadlineMs, partial = false }: FanOutOptions,
): Promise<FanOutOutcome<Result>> {
  const limit = pLimit(concurrency);
  const controller = new AbortController();
  const { signal } = controller;
  const expiry = new DOMException('The deadline of the fan-out has passed.', 'TimeoutError');
  const timer = setTimeout(() => {
    controller.abort(expiry);
  }, deadlineMs);

  const results = new Map<string, Result>();
  const missing = new Set<string>();
  const ask = async (shardId: string): Promise<void> => {
    try {
      results.set(shardId, await untilAborted(() => run(shardId, signal), signal));
    } catch (error) {
      const reason = signal.reason === expiry ? tooLate(shardId, deadlineMs) : error;
      if (!partial || !meansShardIsAway(reason)) {
        controller.abort(reason);
        throw reason;
      }
      missing.add(shardId);
    }
  };

  try {
    // Failures are dealt with inside the limit, before the place becomes free for another shard.
    await Promise.all(shardIds.map((shardId) => limit(ask, shardId)));
    return { results: inOrder(results, shardIds), missingShards: shardIds.filter((id) => missing.has(id)) };
  } finally {
    clearTimeout(timer);
  }
}

/** Settles as `run` does, or rejects with the signal's reason as soon as it is aborted. */
async function untilAborted<Result>(run: () => Promise<Result>, signal: AbortSignal): Promise<Result> {
  signal.throwIfAborted();
  let abandon: () => void = () => undefined;
  const aborted = new Promise<never>((_resolve, reject) => {
    abandon = () => {
      reject(signal.reason as Error);
    };
  });
  signal.addEventListener('abort', abandon, { once: true });
  try {
    return await Promise.race([run(), aborted]);
  } finally {
    signal.removeEventListener('abort', abandon);
  }
}

function inOrder<Result>(results: ReadonlyMap<string, Result>, shardIds: readonly string[]) {
  const place = new Map(shardIds.map((shardId, index) => [shardId, index]));
  return new Map([...results].sort(([a], [b]) => (place.get(a) ?? 0) - (place.get(b) ?? 0)));
}

function meansShardIsAway(error: unknown): boolean {
  return (
    error instanceof GatewayError && (error.code === 'shard_unavailable' || error.code === 'pool_exhausted')
  );
}

function tooLate(shardId: string, deadlineMs: number): ShardUnavailableError {
  return new ShardUnavailableError(shardId, `it did not answer within ${deadlineMs} ms; try again.`);
}
