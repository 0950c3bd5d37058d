import { laterPosition, type ShardPosition } from './shard-position.js';

/** Where an answer came from, nearest first. */
export type ReadSource = 'cache' | 'replica' | 'primary';

const DISTANCE: Record<ReadSource, number> = { cache: 0, replica: 1, primary: 2 };

/**
 * What one call chain did: which shards it touched, the farthest source it read from, and how far it wrote.
 * The HTTP layer turns it into response headers; reads use its positions to see the chain's own writes.
 */
export class RequestTrace {
  readonly #shards = new Set<string>();
  // Made when they are needed: most chains read only, and there is a trace for each.
  #written: Map<string, ShardPosition> | undefined;
  #required: Map<string, ShardPosition> | undefined;
  /** Per shard what was asked for from outside. */
  #tokens: Map<string, ShardPosition> | undefined;
  #source: ReadSource | undefined;
  /** Whether reads of this chain go past the cache (`Cache-Control: no-cache`). */
  goesPastCache = false;

  /** The shard that answered last. */
  #latest: string | undefined;

  /** The farthest place that a read of this chain was answered from. */
  get source(): ReadSource | undefined {
    return this.#source;
  }

  /** The shards that answered, in no particular order. */
  get shardIds(): readonly string[] {
    return [...this.#shards];
  }

  /** How far this chain wrote, one position per shard. */
  get written(): readonly ShardPosition[] {
    return [...(this.#written?.values() ?? [])];
  }

  /** Notes a read that `shardId` answered. */
  noteRead(shardId: string, source: ReadSource): void {
    if (shardId !== this.#latest) this.#shards.add(shardId);
    this.#latest = shardId;
    if (this.#source === undefined || DISTANCE[source] > DISTANCE[this.#source]) this.#source = source;
  }

  /** Notes a write; reads of this chain see at least this position from now on. */
  noteWrite(position: ShardPosition): void {
    this.#shards.add(position.shardId);
    keepLatest((this.#written ??= new Map<string, ShardPosition>()), position);
    keepLatest((this.#required ??= new Map<string, ShardPosition>()), position);
  }

  /** Makes reads of this chain see at least these positions (a consistency token that was sent along). */
  requirePositions(positions: Iterable<ShardPosition>): void {
    for (const position of positions) {
      keepLatest((this.#required ??= new Map<string, ShardPosition>()), position);
      keepLatest((this.#tokens ??= new Map<string, ShardPosition>()), position);
    }
  }

  /** Whether {@link requirePositions} was given any. */
  get hasTokens(): boolean {
    return this.#tokens !== undefined;
  }

  /** The farthest position of this shard that {@link requirePositions} was given; what was written here is not in it. */
  tokenPosition(shardId: string): ShardPosition | undefined {
    return this.#tokens?.get(shardId);
  }

  /** What a read of this shard must show at least. */
  requiredPosition(shardId: string): ShardPosition | undefined {
    return this.#required?.get(shardId);
  }
}

function keepLatest(positions: Map<string, ShardPosition>, candidate: ShardPosition): void {
  positions.set(candidate.shardId, laterPosition(positions.get(candidate.shardId), candidate));
}
