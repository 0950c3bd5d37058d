import type { ShardPosition } from '../../src/common/shard-position.js';
import {
  QueryCache,
  type CacheRead,
  type Filled,
  type QueryCacheOptions,
} from '../../src/cache/query-cache.js';
import type { TableRows, WrittenRows } from '../../src/cache/table-rows.js';
import type { RowsPlace } from '../../src/cache/tags.js';

export const ACME: RowsPlace = { shardId: 's0', tenantId: 'acme' };
export const BETA: RowsPlace = { shardId: 's0', tenantId: 'beta' };
export const ACCOUNTS = 'bank.accounts';
export const CARDS = 'bank.cards';
export const TTL_MS = 30_000;

/** A place in the log of a shard. */
export function at(lsn: number, shardId = 's0'): ShardPosition {
  return { shardId, timeline: 1, lsn: BigInt(lsn) };
}

/** A read of acme's, unless told otherwise. */
export function reading(key: string, more: Partial<CacheRead> = {}): CacheRead {
  return { ...ACME, statement: 'accounts', key, required: undefined, ttlMs: undefined, ...more };
}

/** Rows by their ids, of accounts. */
export function rows(...ids: string[]): TableRows[] {
  return [{ table: ACCOUNTS, ids }];
}

/** Any rows of tables. */
export function anyRows(...tables: string[]): TableRows[] {
  return tables.map((table) => ({ table, ids: undefined }));
}

/** A fill, begun: it ends when the test says so. */
export interface Begun {
  /** What the caller gets. */
  readonly answer: Promise<string>;
  /** Whether a database is asked; if not, somebody was joined. */
  readonly isAsked: boolean;
  /** What the node that is asked has to show. */
  readonly least: ShardPosition | undefined;
  /** The database answers. */
  readonly end: (text: string, more?: Partial<Filled<string>>) => Promise<string>;
  /** The database fails. */
  readonly fail: (error: Error) => void;
}

/** A cache, and what it knows of the world, which a test sets. */
export class Scene {
  readonly cache: QueryCache<string>;
  nowMs = 1_000;
  /** Shards of which nothing is heard. */
  readonly unheard = new Set<string>();
  /** What every node of any shard shows. */
  everywhere = 0n;

  constructor(options: Partial<QueryCacheOptions> = {}) {
    this.cache = new QueryCache<string>({
      maxBytes: 1_000_000,
      shareOf: () => 1,
      ttlMs: TTL_MS,
      isEverywhere: ({ lsn }) => lsn <= this.everywhere,
      isHeard: (shardId) => !this.unheard.has(shardId),
      now: () => this.nowMs,
      ...options,
    });
  }

  lookUp(read: CacheRead): string | undefined {
    return this.cache.lookUp(read)?.answer;
  }

  begin(read: CacheRead, tables: readonly TableRows[] = rows('1')): Begun {
    const least: (ShardPosition | undefined)[] = [];
    let resolve: (filled: Filled<string>) => void = () => undefined;
    let reject: (error: Error) => void = () => undefined;
    const answer = this.cache.fill(read, tables, (position) => {
      least.push(position);
      return new Promise((...settle) => {
        [resolve, reject] = settle;
      });
    });
    return {
      answer,
      isAsked: least.length > 0,
      least: least[0],
      end: (text, more = {}) => {
        resolve({ answer: text, bytes: 10, ...more });
        return answer;
      },
      fail: (error) => {
        reject(error);
      },
    };
  }

  /** A fill from its beginning to its end, with nothing in between. */
  async fill(
    read: CacheRead,
    text: string,
    tables: readonly TableRows[] = rows('1'),
    more: Partial<Filled<string>> = {},
  ): Promise<void> {
    await this.begin(read, tables).end(text, more);
  }

  /** A write from its beginning to its acknowledgement. */
  write(written: WrittenRows, lsn: number, place: RowsPlace = ACME): void {
    this.cache.beginWrite(place, written).committed(at(lsn, place.shardId));
  }
}
