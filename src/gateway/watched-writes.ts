import type { ShardPosition } from '../common/shard-position.js';
import type { WrittenPosition } from '../common/written-position.js';
import type { QueryCache } from '../cache/query-cache.js';
import type { TableRows, WrittenRows } from '../cache/table-rows.js';
import type { RowsPlace } from '../cache/tags.js';
import type { WriteFence } from '../cache/write-fence.js';
import { writtenRows, type Referencing } from '../persistence/statements/written-rows.js';
import type { TransactionWatch } from '../sharding/connections/tenant-session.js';

/** Ids of one table that a transaction is remembered by; beyond that, it wrote some row of the table. */
const IDS_MAX = 1_000;

/** A write that is kept. */
interface CommittedWrite extends RowsPlace {
  readonly rows: WrittenRows;
  /** Everything of it lies before this. */
  readonly position: ShardPosition;
}

/** A commit whose outcome nobody told. */
export interface UnknownCommit {
  /** Of the server's process that may still be at it; 0 where none can be. */
  readonly processId: number;
  /** Under which the transaction may be prepared. */
  readonly gid?: string | undefined;
}

/** What has to be known, and to happen, about writes of this process. */
export interface WriteHooks {
  /** The name of this process in tokens. */
  readonly writer: string;
  /** Tables whose rows change with those of another one, by its foreign keys. */
  readonly referencing: Referencing;
  /** Whether a write of a table may change rows of others, beside those by foreign keys. */
  readonly hasSideEffects: (table: string) => boolean;
  /** What has to be notified with the transaction itself, because the other processes cannot be told after it now. */
  readonly noticesWithin: (write: Omit<CommittedWrite, 'position'>) => readonly string[];
  /** It is kept: tell the other processes. */
  readonly announce: (write: CommittedWrite) => void;
  /**
   * Finds out when a commit is over whose outcome nobody told, and a position behind it.
   *
   * @param commit where it may still be going on
   */
  readonly findOut: (shardId: string, commit: UnknownCommit, over: (position: ShardPosition) => void) => void;
}

/**
 * Follows every transaction of this process, so that the cache knows what it wrote: from before its COMMIT is
 * sent, and before anybody is told of it.
 */
export class WatchedWrites {
  readonly #cache: Pick<QueryCache<unknown>, 'beginWrite'> | undefined;
  readonly #hooks: WriteHooks;

  /** @param cache undefined where this process has none: others are told all the same */
  constructor(cache: Pick<QueryCache<unknown>, 'beginWrite'> | undefined, hooks: WriteHooks) {
    this.#cache = cache;
    this.#hooks = hooks;
  }

  /**
   * Follows one transaction.
   *
   * @param onCommitted hears of its position when the cache knows of it
   */
  watch(place: RowsPlace, onCommitted: (position: WrittenPosition) => void): TransactionWatch {
    const written = new Written(this.#hooks.hasSideEffects);
    let rows: WrittenRows = [];
    let fence: WriteFence | undefined;
    let isToldWithin = false;
    return {
      sending: (sql, params) => {
        written.add(writtenRows(sql, params, { referencing: this.#hooks.referencing }));
      },
      wrote: (changed) => {
        written.add(changed);
      },
      committing: () => {
        rows = written.rows;
        if (!isSome(rows)) return [];
        fence = this.#cache?.beginWrite(place, rows);
        const notices = this.#hooks.noticesWithin({ ...place, rows });
        isToldWithin = notices.length > 0;
        return notices;
      },
      preparing: () => {
        rows = written.rows;
        if (isSome(rows)) fence = this.#cache?.beginWrite(place, rows);
      },
      committed: (at) => {
        const position = { shardId: place.shardId, ...at };
        fence?.committed(position);
        if (!isSome(rows)) {
          // Whoever asks for its position can only mean what others have written.
          onCommitted(position);
          return [];
        }
        onCommitted({ ...position, writer: this.#hooks.writer });
        this.#hooks.announce({ ...place, rows, position });
        // A commit may have taken longer than announcing worked.
        return isToldWithin ? [] : this.#hooks.noticesWithin({ ...place, rows });
      },
      undone: () => {
        fence?.undone();
      },
      unknown: (processId, gid) => {
        if (!isSome(rows)) return;
        this.#hooks.findOut(place.shardId, { processId, gid }, (position) => {
          fence?.committed(position);
          this.#hooks.announce({ ...place, rows, position });
        });
      },
    };
  }
}

function isSome(rows: WrittenRows): boolean {
  return rows === 'anything' || rows.length > 0;
}

/** What the statements of one transaction wrote. */
class Written {
  readonly #tables = new Map<string, Set<string> | undefined>();
  readonly #hasSideEffects: (table: string) => boolean;
  #isAnything = false;

  constructor(hasSideEffects: (table: string) => boolean) {
    this.#hasSideEffects = hasSideEffects;
  }

  get rows(): WrittenRows {
    if (this.#isAnything) return 'anything';
    return Array.from(this.#tables, ([table, ids]): TableRows => ({ table, ids: ids && [...ids] }));
  }

  add(rows: WrittenRows | undefined): void {
    if (rows === undefined) return;
    if (rows === 'anything') this.#isAnything = true;
    else for (const { table, ids } of rows) this.#addRows(table, ids);
  }

  #addRows(table: string, ids: readonly string[] | undefined): void {
    if (this.#hasSideEffects(table)) this.#isAnything = true;
    const known = this.#tables.get(table);
    if (ids === undefined || (this.#tables.has(table) && known === undefined)) {
      this.#tables.set(table, undefined);
      return;
    }
    const all = known ?? new Set();
    for (const id of ids) all.add(id);
    this.#tables.set(table, all.size > IDS_MAX ? undefined : all);
  }
}
