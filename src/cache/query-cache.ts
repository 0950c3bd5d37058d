import { laterPosition, shows, type ShardPosition } from '../common/shard-position.js';
import { CacheStatistics, type CacheCounts } from './cache-statistics.js';
import { Clearings } from './clearings.js';
import { EntryStore, type EntryAddress, type Sized, type StoreLimits } from './entry-store.js';
import type { TableRows, WrittenRows } from './table-rows.js';
import { areUnchanged, areUntouched, type Tag } from './tag.js';
import { Tags, type RowsPlace } from './tags.js';
import { WriteFence } from './write-fence.js';

/** How a cache behaves, and what it has to know of the shards. */
export interface QueryCacheOptions extends StoreLimits {
  /** How old an answer may become, ms. */
  readonly ttlMs: number;
  /**
   * Whether every node of a shard shows what lies before a position of it, those included that are away now and
   * may come back: once true, it has to stay true.
   */
  readonly isEverywhere: (position: ShardPosition) => boolean;
  /**
   * Whether what other processes write on a shard is heard of in time. While false, its answers are not served, and
   * nobody joins who asks later than a second after an answer was asked for.
   *
   * @param nowMs what the clock says
   */
  readonly isHeard: (shardId: string, nowMs: number) => boolean;
  /** A clock that only goes forward, ms. */
  readonly now: () => number;
}

/** A read, as the cache sees it. */
export interface CacheRead extends EntryAddress {
  readonly shardId: string;
  /** What of another process's writes the answer must show, by a token. This process's own are shown always. */
  readonly required: ShardPosition | undefined;
  /** How old its answer may be, if less than the cache allows, ms. */
  readonly ttlMs: number | undefined;
}

/** A read whose answer may be there already. */
type KeptRead = Omit<CacheRead, 'shardId'> & Partial<Pick<CacheRead, 'shardId'>>;

/** What a database answered. */
export interface Filled<Answer> {
  readonly answer: Answer;
  /** Bytes of heap that it takes, as `sizeOfAnswer` estimates them. */
  readonly bytes: number;
}

/** Asks a database, on a node that shows at least this position; undefined if every node shows what is needed. */
export type Fill<Answer> = (least: ShardPosition | undefined) => Promise<Filled<Answer>>;

/** An answer that may be served, and the shard that gave it. */
export interface Kept<Answer> {
  readonly answer: Answer;
  readonly shardId: string;
}

interface Entry<Answer> extends Sized, Kept<Answer> {
  readonly tags: readonly Tag[];
  /** The count of changes when it was asked for. */
  readonly since: number;
  /** When it was asked for, ms. */
  readonly askedAt: number;
  /** What it shows at least. */
  readonly position: ShardPosition | undefined;
  /** Its place among all fills. */
  readonly fill: number;
}

/** An answer that is being asked for. */
interface Flight<Answer> {
  readonly asked: Asked;
  readonly answer: Promise<Answer>;
}

/** What was known when a database was asked. */
interface Asked {
  readonly read: CacheRead;
  readonly fill: number;
  readonly tags: readonly Tag[];
  readonly since: number;
  readonly askedAt: number;
  readonly position: ShardPosition | undefined;
}

/**
 * How long others may join an answer that is being asked for while their shard is not heard, ms: shorter than it may
 * take to notice that it is not, so that no answer is older than one can be at any time.
 */
export const JOINED_UNHEARD_MS = 1_000;

/** What an entry takes beside its answer, key and tags: itself and its place in the store; bytes, as measured. */
const ENTRY_BYTES = 580;

/** What a tag takes; bytes, as measured. */
const TAG_BYTES = 200;

/** Of the tags of an answer, those that many others have too: of its shard, its tenant and a table. */
const SHARED_TAGS = 3;

/** Retained heap by what `sizeOfAnswer` estimates; see there. */
const HEAP_PER_ESTIMATE = 1.7;

/**
 * Answers of reads, kept until something that they are made of changes.
 *
 * An answer is served only if, since before it was asked for, no write of its rows was completed or is under
 * way, here or, as far as was heard, in another process. It is kept only under the same condition, and only
 * from a node that shows those writes. So what is served is what a database could have answered after the
 * latest acknowledged write.
 */
export class QueryCache<Answer> {
  readonly #options: QueryCacheOptions;
  readonly #tags: Tags;
  readonly #store: EntryStore<Entry<Answer>>;
  readonly #flights = new Map<string, Flight<Answer>>();
  readonly #clearings = new Clearings();
  readonly #statistics = new CacheStatistics();
  /** How many fills there were. */
  #fills = 0;

  constructor(options: QueryCacheOptions) {
    this.#options = options;
    this.#tags = new Tags(options.isEverywhere);
    this.#store = new EntryStore(options, ({ tags, tenantId }, isPushedOut) => {
      this.#tags.release(tags);
      if (isPushedOut) this.#statistics.of(tenantId).evictions += 1;
    });
  }

  /** The answer that is kept, if it may be served. Without a shard, the key has to say which one it is. */
  lookUp(read: KeptRead): Kept<Answer> | undefined {
    const entry = this.#store.get(read);
    // An entry says whose it is; should it ever be found elsewhere, nobody gets what is another tenant's.
    if (entry?.tenantId !== read.tenantId || entry.shardId !== (read.shardId ?? entry.shardId))
      return undefined;
    const nowMs = this.#options.now();
    if (nowMs - entry.askedAt >= this.#ttlOf(read.ttlMs)) return undefined;
    if (!areUntouched(entry.tags, entry.since)) return undefined;
    if (read.required !== undefined && !shows(entry.position, read.required)) return undefined;
    if (!this.#options.isHeard(entry.shardId, nowMs)) return undefined;
    this.#statistics.of(entry.tenantId).hits += 1;
    return entry;
  }

  /**
   * Asks a database, or joins somebody who is asking the same and began after the latest write; keeps the
   * answer if nothing that it is made of has changed meanwhile.
   *
   * @param tables what the answer is made of
   */
  fill(read: CacheRead, tables: readonly TableRows[], ask: Fill<Answer>): Promise<Answer> {
    const counts = this.#statistics.of(read.tenantId);
    const name = flightName(read);
    const flight = this.#flights.get(name);
    if (flight !== undefined && this.#isJoinable(flight.asked, read)) {
      counts.joins += 1;
      return flight.answer;
    }
    counts.misses += 1;
    this.#fills += 1;
    // Before the statement is sent: whatever changes from here on may or may not be in the answer.
    const tags = this.#tags.holdForAnswer(read, tables);
    const asked: Asked = {
      read,
      fill: this.#fills,
      tags,
      since: this.#tags.changes,
      askedAt: this.#options.now(),
      position: furthest(tags, read.required),
    };
    const answer = this.#settle(asked, name, ask);
    this.#flights.set(name, { asked, answer });
    return answer;
  }

  /** Stands around a COMMIT that is about to be sent. */
  beginWrite(place: RowsPlace, rows: WrittenRows): WriteFence {
    this.#statistics.of(place.tenantId).invalidations += 1;
    return new WriteFence(this.#tags, this.#tags.holdForWrite(place, rows));
  }

  /** Stands around a time in which anything on a shard may have changed unheard. */
  beginUnheard(shardId: string): WriteFence {
    return new WriteFence(this.#tags, this.#tags.holdForShard(shardId));
  }

  /**
   * Empties it, for one tenant or for all; who asks from here on gets an answer that is asked for from here on.
   *
   * @returns how many answers were kept
   */
  clear(tenantId?: string): number {
    this.#clearings.add(tenantId, this.#fills);
    return this.#store.clear(tenantId);
  }

  /** Counts to add to, of a tenant. */
  countsOf(tenantId: string): CacheCounts {
    return this.#statistics.of(tenantId);
  }

  /** What it holds and what it did, of one tenant or of all. */
  report(tenantId?: string): CacheCounts & { entries: number; bytes: number } {
    if (tenantId === undefined) return { ...this.#statistics.total(), ...this.#store.use };
    const counts = this.#statistics.of(tenantId);
    return { ...counts, bypasses: { ...counts.bypasses }, ...this.#store.useOf(tenantId) };
  }

  /** Whether a read may have an answer that is under way: it could have been asked for now. */
  #isJoinable({ read, fill, tags, since, askedAt, position }: Asked, joiner: CacheRead): boolean {
    const { tenantId, shardId, required } = joiner;
    if (read.tenantId !== tenantId || read.shardId !== shardId) return false;
    if (this.#clearings.cover(tenantId, fill)) return false;
    const nowMs = this.#options.now();
    if (nowMs - askedAt >= this.#ttlOf(joiner.ttlMs)) return false;
    if (required !== undefined && !shows(position, required)) return false;
    if (!areUnchanged(tags, since)) return false;
    return nowMs - askedAt < JOINED_UNHEARD_MS || this.#options.isHeard(shardId, nowMs);
  }

  async #settle(asked: Asked, name: string, ask: Fill<Answer>): Promise<Answer> {
    try {
      const filled = await this.#ask(asked, ask);
      this.#keep(asked, filled);
      return filled.answer;
    } finally {
      if (this.#flights.get(name)?.asked === asked) this.#flights.delete(name);
      this.#tags.release(asked.tags);
    }
  }

  /** Is async so that what is thrown at once is a rejection like any other, and comes after the flight is noted. */
  async #ask({ position }: Asked, ask: Fill<Answer>): Promise<Filled<Answer>> {
    const isEverywhere = position === undefined || this.#options.isEverywhere(position);
    return ask(isEverywhere ? undefined : position);
  }

  #keep(asked: Asked, { answer, bytes }: Filled<Answer>): void {
    const { read, fill, tags, since, askedAt, position } = asked;
    const { shardId, tenantId, statement, key } = read;
    // One that was asked for later may show more than this one.
    const isOvertaken = (this.#store.get(read)?.fill ?? 0) > fill;
    if (isOvertaken || this.#clearings.cover(tenantId, fill) || !areUntouched(tags, since)) {
      this.#statistics.of(tenantId).refused += 1;
      return;
    }
    this.#tags.holdAgain(tags);
    const isKept = this.#store.set({
      answer,
      tenantId,
      shardId,
      statement,
      key: inOnePiece(key),
      bytes: heapBytes(key, tags, bytes),
      movedAt: 0,
      tags,
      since,
      askedAt,
      position,
      fill,
    });
    if (!isKept) this.#tags.release(tags);
  }

  /** How old an answer may be that is given to a read which asks for this. */
  #ttlOf(ttlMs: number | undefined): number {
    return ttlMs === undefined ? this.#options.ttlMs : Math.min(this.#options.ttlMs, ttlMs);
  }
}

/** A tenant's id holds no space, and what may hold some says how long it is or comes last. */
function flightName({ tenantId, statement, key }: EntryAddress): string {
  return `${tenantId} ${statement.length} ${statement} ${key}`;
}

/**
 * The same text. One that was put together of many parts stays a tree of them, three times as big, until somebody
 * looks at its characters.
 */
function inOnePiece(text: string): string {
  return text.charCodeAt(0) >= 0 ? text : '';
}

/** What an answer takes that was estimated so, all told; a whole number. */
function heapBytes(key: string, tags: readonly Tag[], estimate: number): number {
  const ownTags = Math.max(0, tags.length - SHARED_TAGS);
  return Math.ceil(estimate * HEAP_PER_ESTIMATE) + ENTRY_BYTES + key.length + ownTags * TAG_BYTES;
}

/** The furthest of what these tags and a token ask for. */
function furthest(tags: readonly Tag[], required: ShardPosition | undefined): ShardPosition | undefined {
  let least = required;
  for (const { position } of tags) if (position !== undefined) least = laterPosition(least, position);
  return least;
}
