import type { ReadSource } from '../common/request-trace.js';

/** How many reads a shard answered from where. */
type CountsBySource = Record<ReadSource, number>;

/** The reads that were answered since the process began, by shard and source. */
export class ReadCounts {
  readonly #byShard: ReadonlyMap<string, CountsBySource>;

  constructor(shardIds: readonly string[]) {
    this.#byShard = new Map(shardIds.map((shardId) => [shardId, { cache: 0, replica: 0, primary: 0 }]));
  }

  /** Counts one read that was answered. */
  note(shardId: string, source: ReadSource): void {
    const counts = this.#byShard.get(shardId);
    if (counts !== undefined) counts[source] += 1;
  }

  /** The counts of each shard, in the order of the configuration. */
  get byShard(): Iterable<readonly [shardId: string, counts: Readonly<CountsBySource>]> {
    return this.#byShard;
  }
}
