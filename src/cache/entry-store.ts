import { LRUCache } from 'lru-cache';

/** Where an entry is kept, part by part: to put the parts together would cost more than to find it. */
export interface EntryAddress {
  readonly tenantId: string;
  /** Tells a statement, and the login that it runs on, from all others. */
  readonly statement: string;
  /** Tells the parameters of the statement, and the shard that answers it, from all others. */
  readonly key: string;
}

/** What a store keeps: where, and how big it is. */
export interface Sized extends EntryAddress {
  /** Bytes of heap that it takes, about: a whole number above 0. */
  readonly bytes: number;
  /** The store's: how many entries had been kept when it was last moved to the end of those in use. */
  movedAt: number;
}

/** One tenant's entries: by address, and in the order in which they were used. */
interface TenantEntries<Entry extends Sized> {
  /** By statement and key. */
  readonly statements: Map<string, Map<string, Entry>>;
  readonly used: LRUCache<Entry, true>;
}

/** How much a store holds. */
export interface StoreLimits {
  /** Of all tenants together, with what it takes to keep their entries apart; bytes. */
  readonly maxBytes: number;
  /** The part of it that one tenant may take, above 0 and at most 1. */
  readonly shareOf: (tenantId: string) => number;
}

/** Entries larger than this part of the whole are not kept: one would push out hundreds. */
const ENTRY_SHARE_MAX = 0.01;

/** Tenants that are looked at to find one that takes much, when room is needed. */
const TENANTS_LOOKED_AT = 8;

/** How often an entry in use is moved to the end of the line while all others are replaced once, at most. */
const MOVES_PER_TURNOVER = 64;

/** What a tenant's part of a store takes when it is empty; bytes, as measured. */
const TENANT_BYTES = 2_200;

/**
 * Entries by key, least recently used first out, bounded in bytes: of all tenants, and of each. Whoever fills
 * more than its share pushes out its own; when all together are too many, one that takes much gives way.
 */
export class EntryStore<Entry extends Sized> {
  readonly #limits: StoreLimits;
  readonly #onGone: (entry: Entry, isPushedOut: boolean) => void;
  readonly #tenants = new Map<string, TenantEntries<Entry>>();
  #bytes = 0;
  /** How many entries were ever kept. */
  #sets = 0;

  /** @param onGone hears of every entry that is kept no more, for whatever reason */
  constructor(limits: StoreLimits, onGone: (entry: Entry, isPushedOut: boolean) => void) {
    this.#limits = limits;
    this.#onGone = onGone;
  }

  /** How many entries there are, and their bytes, about. */
  get use(): { readonly entries: number; readonly bytes: number } {
    let count = 0;
    for (const { used } of this.#tenants.values()) count += used.size;
    return { entries: count, bytes: this.#bytes };
  }

  /**
   * The entry of an address, which is then among those that were used last. It is not moved to their end again
   * before a part of them has come behind it: as long as nothing comes, nothing is pushed out.
   */
  get({ tenantId, statement, key }: EntryAddress): Entry | undefined {
    const entries = this.#tenants.get(tenantId);
    const entry = entries?.statements.get(statement)?.get(key);
    if (entry === undefined || entries === undefined) return undefined;
    if ((this.#sets - entry.movedAt) * MOVES_PER_TURNOVER > entries.used.size) {
      entry.movedAt = this.#sets;
      entries.used.get(entry);
    }
    return entry;
  }

  /** @returns whether it is kept; one that is too large is not */
  set(entry: Entry): boolean {
    const { tenantId, bytes } = entry;
    const entries = this.#entriesOf(tenantId);
    this.delete(entry);
    // Said so that what is no number is not kept either.
    const share = Math.max(1, Math.floor(this.#limits.maxBytes * this.#limits.shareOf(tenantId)));
    if (!(bytes <= Math.min(this.#limits.maxBytes * ENTRY_SHARE_MAX, share))) return false;
    this.#sets += 1;
    entry.movedAt = this.#sets;
    placeIn(entries.statements, entry).set(entry.key, entry);
    entries.used.set(entry, true);
    this.#bytes += bytes;
    while (entries.used.calculatedSize > share) entries.used.pop();
    while (this.#bytes + this.#tenants.size * TENANT_BYTES > this.#limits.maxBytes) this.#pushOut(entries);
    return true;
  }

  delete(address: EntryAddress): void {
    const entry = this.get(address);
    if (entry !== undefined) this.#tenants.get(address.tenantId)?.used.delete(entry);
  }

  /** Empties it, for one tenant or for all. @returns how many entries there were */
  clear(tenantId?: string): number {
    const tenants = tenantId === undefined ? [...this.#tenants.keys()] : [tenantId];
    let count = 0;
    for (const tenant of tenants) {
      const entries = this.#tenants.get(tenant);
      count += entries?.used.size ?? 0;
      entries?.used.clear();
      this.#tenants.delete(tenant);
    }
    return count;
  }

  /** How many entries a tenant has, and their bytes. */
  useOf(tenantId: string): { readonly entries: number; readonly bytes: number } {
    const used = this.#tenants.get(tenantId)?.used;
    return { entries: used?.size ?? 0, bytes: used?.calculatedSize ?? 0 };
  }

  #entriesOf(tenantId: string): TenantEntries<Entry> {
    let entries = this.#tenants.get(tenantId);
    if (entries === undefined) {
      const statements: TenantEntries<Entry>['statements'] = new Map();
      entries = {
        statements,
        used: new LRUCache({
          maxSize: this.#limits.maxBytes,
          sizeCalculation: (_, { bytes }) => bytes,
          dispose: (_, entry, reason) => {
            this.#bytes -= entry.bytes;
            removeFrom(statements, entry);
            this.#onGone(entry, reason === 'evict');
          },
        }),
      };
      this.#tenants.set(tenantId, entries);
    }
    return entries;
  }

  /**
   * One entry less: of the largest of a few tenants, which are looked at in turn, or, if it is larger, of the one
   * that wants room. So one that takes much does not fill the places of the many that take little.
   */
  #pushOut(own: TenantEntries<Entry>): void {
    let largest = own.used;
    let lookedAt = 0;
    for (const [tenantId, entries] of this.#tenants) {
      if (lookedAt === TENANTS_LOOKED_AT) break;
      lookedAt += 1;
      // To the end of the line: next time it is others' turn.
      this.#tenants.delete(tenantId);
      const { used } = entries;
      if (used.size === 0) continue;
      this.#tenants.set(tenantId, entries);
      if (used.calculatedSize >= largest.calculatedSize) largest = used;
    }
    largest.pop();
  }
}

/** The entries of one statement. */
function placeIn<Entry extends Sized>(
  statements: TenantEntries<Entry>['statements'],
  { statement }: EntryAddress,
): Map<string, Entry> {
  let entries = statements.get(statement);
  if (entries === undefined) {
    entries = new Map();
    statements.set(statement, entries);
  }
  return entries;
}

function removeFrom<Entry extends Sized>(
  statements: TenantEntries<Entry>['statements'],
  { statement, key }: EntryAddress,
): void {
  const entries = statements.get(statement);
  entries?.delete(key);
  if (entries?.size === 0) statements.delete(statement);
}
