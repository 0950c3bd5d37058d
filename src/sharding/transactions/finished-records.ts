import { AsyncLocalStorage } from 'node:async_hooks';
import type { Log } from '../../common/log.js';
import type { SqlExecutor } from '../../common/sql-executor.js';
import { forgetRecords } from './commit-record.js';

/** Records that wait at once; recovery removes what is beyond that. */
const WAITING_MAX = 100_000;

interface FinishedRecord {
  readonly shardId: string;
  readonly gid: string;
  readonly finishedAtMs: number;
}

/**
 * Commit records that nobody needs any more, removed in batches and off everybody's way. They are kept for a
 * while, so that a replica that is promoted meanwhile, and had not seen the last of the transaction, can still
 * have it finished. What is not removed, because the process ends or the shard is away, recovery removes.
 */
export class FinishedRecords {
  readonly #executorOf: (shardId: string) => SqlExecutor;
  readonly #keptMs: number;
  readonly #log: Log;
  readonly #outsideOfScopes = AsyncLocalStorage.snapshot();
  #waiting: FinishedRecord[] = [];
  #timer: NodeJS.Timeout | undefined;

  /** @param keptMs how long a record outlives its transaction */
  constructor(executorOf: (shardId: string) => SqlExecutor, keptMs: number, log: Log) {
    this.#executorOf = executorOf;
    this.#keptMs = keptMs;
    this.#log = log;
  }

  /** The transaction is finished everywhere. */
  add(shardId: string, gid: string): void {
    if (this.#waiting.length >= WAITING_MAX) return;
    this.#waiting.push({ shardId, gid, finishedAtMs: performance.now() });
    if (this.#timer === undefined) this.#later();
  }

  /** Ends the removing. */
  stop(): void {
    clearTimeout(this.#timer);
    this.#waiting = [];
  }

  #later(): void {
    this.#outsideOfScopes(() => {
      this.#timer = setTimeout(() => void this.#forgetDue(), this.#keptMs).unref();
    });
  }

  /** Never rejects. */
  async #forgetDue(): Promise<void> {
    const untilMs = performance.now() - this.#keptMs;
    const firstKept = this.#waiting.findIndex(({ finishedAtMs }) => finishedAtMs > untilMs);
    const due = this.#waiting.splice(0, firstKept === -1 ? this.#waiting.length : firstKept);
    const shardIds = [...new Set(due.map(({ shardId }) => shardId))];
    await Promise.all(
      shardIds.map((shardId) =>
        this.#forget(
          shardId,
          due.filter((record) => record.shardId === shardId).map(({ gid }) => gid),
        ),
      ),
    );
    this.#timer = undefined;
    if (this.#waiting.length > 0) this.#later();
  }

  async #forget(shardId: string, gids: readonly string[]): Promise<void> {
    try {
      await forgetRecords(this.#executorOf(shardId), gids);
    } catch {
      this.#log.debug({ shard: shardId, records: gids.length }, 'commit records are left to recovery');
    }
  }
}
