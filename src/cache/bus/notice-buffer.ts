import type { TableRows } from '../table-rows.js';
import type { GatheredWrites, WriteNotice, WrittenBefore } from './write-notice.js';

/** Rows of one table that are told one by one; with more, it is the table. */
const IDS_MAX = 200;

/** Characters of an id that is told: a longer one would fill a payload by itself. */
const ID_LENGTH_MAX = 1_000;

/** Tables and ids of one tenant that are told one by one; with more, it is anything of the tenant. */
const TENANT_ENTRIES_MAX = 1_000;

/** Tables, ids and tenants that are kept in all. */
const ENTRIES_MAX = 10_000;

/** What one tenant wrote; ids are undefined where it is not known, or not told, which. */
interface TenantWrites {
  readonly tenantId: string;
  position: WrittenBefore | undefined;
  tables: Map<string, Set<string> | undefined> | 'anything';
  entries: number;
}

/**
 * Notices on their way out, merged as they come: what is taken covers all that was added. It stays small
 * whatever is added, by telling less exactly: first of a table, then of a tenant, then of all.
 */
export class NoticeBuffer {
  /** Writes with a position and those without are kept apart: a merged position would be wrong for one of them. */
  #tenants = new Map<string, TenantWrites>();
  #entries = 0;
  #isEverything = false;

  get isEmpty(): boolean {
    return !this.#isEverything && this.#tenants.size === 0;
  }

  add(notice: WriteNotice): void {
    if (this.#isEverything || notice.rows.length === 0) return;
    const writes = this.#writesOf(notice);
    const before = writes.entries;
    writes.position = laterOf(writes.position, notice.position);
    if (notice.rows === 'anything') coarsen(writes);
    else for (const rows of notice.rows) addRows(writes, rows);
    this.#entries += writes.entries - before;
    if (this.#entries > ENTRIES_MAX) this.#coarsenAll();
  }

  /** Adds what was taken and could not be sent. */
  restore(writes: GatheredWrites): void {
    if (writes === 'everything') this.#becomeEverything();
    else for (const notice of writes) this.add(notice);
  }

  /** All of it, once. */
  take(): GatheredWrites {
    const tenants = this.#tenants;
    const isEverything = this.#isEverything;
    this.#tenants = new Map();
    this.#entries = 0;
    this.#isEverything = false;
    return isEverything ? 'everything' : [...tenants.values()].map(noticeOf);
  }

  #writesOf({ tenantId, position }: WriteNotice): TenantWrites {
    const key = `${position === undefined ? '?' : '='}${tenantId}`;
    let writes = this.#tenants.get(key);
    if (writes === undefined) {
      writes = { tenantId, position, tables: new Map(), entries: 1 };
      this.#tenants.set(key, writes);
      this.#entries += 1;
    }
    return writes;
  }

  #coarsenAll(): void {
    this.#tenants.forEach(coarsen);
    this.#entries = this.#tenants.size;
    // Or else, with nearly as many tenants as entries, each next write would lead here again.
    if (this.#entries > ENTRIES_MAX / 2) this.#becomeEverything();
  }

  #becomeEverything(): void {
    this.take();
    this.#isEverything = true;
  }
}

/** One notice, as short as the buffer would make it. */
export function condensed(notice: WriteNotice): GatheredWrites {
  const buffer = new NoticeBuffer();
  buffer.add(notice);
  return buffer.take();
}

function addRows(writes: TenantWrites, { table, ids }: TableRows): void {
  if (writes.tables === 'anything') return;
  const known = writes.tables.get(table);
  if (known === undefined && writes.tables.has(table)) return;
  const united = ids === undefined ? undefined : unitedIds(known, ids);
  writes.tables.set(table, united);
  const entriesBefore = known === undefined ? 0 : 1 + known.size;
  writes.entries += 1 + (united?.size ?? 0) - entriesBefore;
  if (writes.entries > TENANT_ENTRIES_MAX) coarsen(writes);
}

function unitedIds(known: Set<string> | undefined, ids: readonly string[]): Set<string> | undefined {
  const united = new Set(known);
  for (const id of ids) {
    united.add(id);
    if (united.size > IDS_MAX || id.length > ID_LENGTH_MAX) return undefined;
  }
  return united;
}

function coarsen(writes: TenantWrites): void {
  writes.tables = 'anything';
  writes.entries = 1;
}

function noticeOf({ tenantId, position, tables }: TenantWrites): WriteNotice {
  if (tables === 'anything') return { tenantId, position, rows: 'anything' };
  const rows = [...tables].map(([table, ids]) => ({ table, ids: ids && [...ids] }));
  return { tenantId, position, rows };
}

function laterOf(
  known: WrittenBefore | undefined,
  other: WrittenBefore | undefined,
): WrittenBefore | undefined {
  if (known === undefined || other === undefined) return known ?? other;
  if (known.timeline !== other.timeline) return known.timeline > other.timeline ? known : other;
  return known.lsn > other.lsn ? known : other;
}
