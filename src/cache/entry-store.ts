import { LRUCache } from 'lru-cache';

/** What a store keeps: how big it is, and whose. */
export interface Sized {
  readonly tenantId: string;
  /** Bytes of heap that it takes, about: a whole number above 0. */
  readonly bytes: number;
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

/** What a tenant's part of a store takes when it is empty; bytes, as measured. */
const TENANT_BYTES = 2_200;

/**
 * Entries by key, least recently used first out, bounded in bytes: of all tenants, and of each. Whoever fills
 * more than its share pushes out its own; when all together are too many, one that takes much gives way.
 */
export class EntryStore<Entry extends Sized> {
  readonly #limits: StoreLimits;
  readonly #onGone: (entry: Entry, isPushedOut: boolean) => void;
  readonly #tenants = new Map<string, LRUCache<string, Entry>>();
  #bytes = 0;

  /** @param onGone hears of every entry that is kept no more, for whatever reason */
  constructor(limits: StoreLimits, onGone: (entry: Entry, isPushedOut: boolean) => void) {
    this.#limits = limits;
    this.#onGone = onGone;
  }

  /** How many entries there are, and their bytes, about. */
  get use(): { readonly entries: number; readonly bytes: number } {
    let count = 0;
    for (const entries of this.#tenants.values()) count += entries.size;
    return { entries: count, bytes: this.#bytes };
  }

  get(tenantId: string, key: string): Entry | undefined {
    return this.#tenants.get(tenantId)?.get(key);
  }

  /** @returns whether it is kept; one that is too large is not */
  set(key: string, entry: Entry): boolean {
    const { tenantId, bytes } = entry;
    const entries = this.#entriesOf(tenantId);
    entries.delete(key);
    // Said so that what is no number is not kept either.
    const share = Math.max(1, Math.floor(this.#limits.maxBytes * this.#limits.shareOf(tenantId)));
    if (!(bytes <= Math.min(this.#limits.maxBytes * ENTRY_SHARE_MAX, share))) return false;
    entries.set(key, entry);
    this.#bytes += bytes;
    while (entries.calculatedSize > share) entries.pop();
    while (this.#bytes + this.#tenants.size * TENANT_BYTES > this.#limits.maxBytes) this.#pushOut(entries);
    return true;
  }

  delete(tenantId: string, key: string): void {
    this.#tenants.get(tenantId)?.delete(key);
  }

  /** Empties it, for one tenant or for all. @returns how many entries there were */
  clear(tenantId?: string): number {
    const tenants = tenantId === undefined ? [...this.#tenants.keys()] : [tenantId];
    let count = 0;
    for (const tenant of tenants) {
      const entries = this.#tenants.get(tenant);
      count += entries?.size ?? 0;
      entries?.clear();
      this.#tenants.delete(tenant);
    }
    return count;
  }

  /** How many entries a tenant has, and their bytes. */
  useOf(tenantId: string): { readonly entries: number; readonly bytes: number } {
    const entries = this.#tenants.get(tenantId);
    return { entries: entries?.size ?? 0, bytes: entries?.calculatedSize ?? 0 };
  }

  #entriesOf(tenantId: string): LRUCache<string, Entry> {
    let entries = this.#tenants.get(tenantId);
    if (entries === undefined) {
      entries = new LRUCache({
        maxSize: this.#limits.maxBytes,
        sizeCalculation: ({ bytes }) => bytes,
        dispose: (entry, _, reason) => {
          this.#bytes -= entry.bytes;
          this.#onGone(entry, reason === 'evict');
        },
      });
      this.#tenants.set(tenantId, entries);
    }
    return entries;
  }

  /**
   * One entry less: of the largest of a few tenants, which are looked at in turn, or, if it is larger, of the one
   * that wants room. So one that takes much does not fill the places of the many that take little.
   */
  #pushOut(own: LRUCache<string, Entry>): void {
    let largest = own;
    let lookedAt = 0;
    for (const [tenantId, entries] of this.#tenants) {
      if (lookedAt === TENANTS_LOOKED_AT) break;
      lookedAt += 1;
      // To the end of the line: next time it is others' turn.
      this.#tenants.delete(tenantId);
      if (entries.size === 0) continue;
      this.#tenants.set(tenantId, entries);
      if (entries.calculatedSize >= largest.calculatedSize) largest = entries;
    }
    largest.pop();
  }
}
