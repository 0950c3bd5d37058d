import { laterPosition, type ShardPosition } from './shard-position.js';
import { WrittenPositions, type WrittenPosition } from './written-position.js';

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
  #written: WrittenPositions | undefined;
  #required: Map<string, ShardPosition> | undefined;
  /** Per shard what was asked for from outside, and the cache does not know. */
  #tokens: Map<string, ShardPosition> | undefined;
  #restsOnOthers = false;
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

  /**
   * How far this chain wrote: the farthest of each shard and writer; of nobody in particular after
   * {@link restOnOthers}, and on shards where transactions of this chain were committed but wrote nothing.
   */
  get written(): readonly WrittenPosition[] {
    const written = [...(this.#written ?? [])];
    if (this.#restsOnOthers) {
      return [...new WrittenPositions(written.map((position) => ({ ...position, writer: undefined })))];
    }
    const isWriter = ({ writer }: WrittenPosition): boolean => writer !== undefined;
    const shards = new Set(written.filter(isWriter).map(({ shardId }) => shardId));
    return written.filter((position) => isWriter(position) || !shards.has(position.shardId));
  }

  /** Notes a read that `shardId` answered. */
  noteRead(shardId: string, source: ReadSource): void {
    if (shardId !== this.#latest) this.#shards.add(shardId);
    this.#latest = shardId;
    if (this.#source === undefined || DISTANCE[source] > DISTANCE[this.#source]) this.#source = source;
  }

  /** Notes a write; reads of this chain see at least this position from now on. */
  noteWrite(position: WrittenPosition): void {
    this.#shards.add(position.shardId);
    (this.#written ??= new WrittenPositions()).add(position);
    keepLatest((this.#required ??= new Map<string, ShardPosition>()), position);
  }

  /**
   * Says that the answer of this chain tells what others may have written, in whichever process: its token is
   * to lead past their writes too, not only past its own.
   */
  restOnOthers(): void {
    this.#restsOnOthers = true;
  }

  /**
   * Makes reads of this chain see at least these positions (a consistency token that was sent along).
   *
   * @param isKnown whether the cache that reads of this chain are answered from knows of these writes already
   */
  requirePositions(
    positions: Iterable<WrittenPosition>,
    isKnown: (position: WrittenPosition) => boolean = () => false,
  ): void {
    for (const position of positions) {
      keepLatest((this.#required ??= new Map<string, ShardPosition>()), position);
      if (!isKnown(position)) keepLatest((this.#tokens ??= new Map<string, ShardPosition>()), position);
    }
  }

  /** Whether {@link requirePositions} was given any that the cache does not know of. */
  get hasTokens(): boolean {
    return this.#tokens !== undefined;
  }

  /**
   * The farthest position of this shard that {@link requirePositions} was given and the cache does not know of;
   * what was written here is not in it.
   */
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
