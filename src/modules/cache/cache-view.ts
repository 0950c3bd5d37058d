import type { GatewayCache } from '../../gateway/gateway-cache.js';

/** What a cache holds and did, as it tells it. */
export type CacheReport = ReturnType<NonNullable<GatewayCache['cache']>['report']>;

/** What the cache of this process holds, and what it did since the process began. */
export interface CacheView extends CacheReport {
  /** False where the options ask for no cache; everything else is zero then. */
  readonly enabled: boolean;
  /** The part of the reads that no database had to answer for, from 0 to 1; null before the first. */
  readonly hitRate: number | null;
  /** How many bytes there may be. */
  readonly maxBytes: number;
}

/** What a cache that is not there tells. */
export const NO_CACHE: CacheView = {
  enabled: false,
  hits: 0,
  misses: 0,
  joins: 0,
  hitRate: null,
  entries: 0,
  bytes: 0,
  maxBytes: 0,
  evictions: 0,
  invalidations: 0,
  refused: 0,
  bypasses: { asked: 0, uncacheable: 0 },
};

/** The report as HTTP answers it. Reads that went past the cache count for nothing in its hit rate. */
export function cacheView(report: CacheReport, maxBytes: number): CacheView {
  const { hits, joins, misses } = report;
  const reads = hits + joins + misses;
  return {
    ...NO_CACHE,
    ...report,
    enabled: true,
    hitRate: reads === 0 ? null : (hits + joins) / reads,
    maxBytes,
  };
}
