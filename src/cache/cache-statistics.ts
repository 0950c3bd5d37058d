/** Why a read went past the cache. */
type BypassReason =
  /** The caller or the entity asks for that: `cache: false`, `from: 'primary'`. */
  | 'asked'
  /** The statement's answer may depend on more than the rows of tables that are known. */
  | 'uncacheable';

/** What happened to the reads of one tenant, or of all, since the process began. */
export interface CacheCounts {
  /** Answered from the cache. */
  hits: number;
  /** Asked of a database. */
  misses: number;
  /** Answered by a miss of somebody else's that was under way. */
  joins: number;
  bypasses: Record<BypassReason, number>;
  /**
   * Answers that were not kept, because meanwhile something that they depend on changed or may have, the cache
   * was cleared, or the answer of a later read was kept.
   */
  refused: number;
  /** Answers that made room for others. */
  evictions: number;
  /** Commits around which answers were set aside, whatever their outcome. */
  invalidations: number;
}

/** All zero. */
function noCounts(): CacheCounts {
  return {
    hits: 0,
    misses: 0,
    joins: 0,
    bypasses: { asked: 0, uncacheable: 0 },
    refused: 0,
    evictions: 0,
    invalidations: 0,
  };
}

/** Counts of each tenant. */
export class CacheStatistics {
  readonly #byTenant = new Map<string, CacheCounts>();

  /** A tenant's counts, to be added to. */
  of(tenantId: string): CacheCounts {
    let counts = this.#byTenant.get(tenantId);
    if (counts === undefined) {
      counts = noCounts();
      this.#byTenant.set(tenantId, counts);
    }
    return counts;
  }

  /** Of all tenants together. */
  total(): CacheCounts {
    const total = noCounts();
    for (const counts of this.#byTenant.values()) {
      total.hits += counts.hits;
      total.misses += counts.misses;
      total.joins += counts.joins;
      total.refused += counts.refused;
      total.evictions += counts.evictions;
      total.invalidations += counts.invalidations;
      for (const reason of Object.keys(total.bypasses) as BypassReason[]) {
        total.bypasses[reason] += counts.bypasses[reason];
      }
    }
    return total;
  }
}
