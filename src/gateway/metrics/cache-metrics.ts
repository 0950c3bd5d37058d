import type { GatewayCache } from '../gateway-cache.js';
import { registerCounter, registerGauge, type MetricsRegistry } from './collected-metric.js';

/** What a cache holds and did, as it tells it. */
type CacheReport = ReturnType<NonNullable<GatewayCache['cache']>['report']>;

/** A metric without labels, and where its value stands. */
interface ReportedValue {
  readonly name: string;
  readonly help: string;
  readonly of: (report: CacheReport) => number;
}

const COUNTERS: readonly ReportedValue[] = [
  { name: 'hits_total', help: 'Reads that the cache answered.', of: ({ hits }) => hits },
  { name: 'misses_total', help: 'Reads that a database was asked for.', of: ({ misses }) => misses },
  {
    name: 'joins_total',
    help: 'Reads that were answered by a miss of another read that was under way.',
    of: ({ joins }) => joins,
  },
  {
    name: 'refused_fills_total',
    help: 'Answers that were not kept, because what they show may have changed meanwhile.',
    of: ({ refused }) => refused,
  },
  { name: 'evictions_total', help: 'Answers that made room for others.', of: ({ evictions }) => evictions },
  {
    name: 'invalidations_total',
    help: 'Commits around which answers were set aside, here or in another process.',
    of: ({ invalidations }) => invalidations,
  },
];

const GAUGES: readonly ReportedValue[] = [
  { name: 'entries', help: 'Answers that are kept.', of: ({ entries }) => entries },
  { name: 'bytes', help: 'Heap that the kept answers take, about.', of: ({ bytes }) => bytes },
];

/** Registers what the cache of a process holds and did, of all tenants together; nothing where there is no cache. */
export function registerCacheMetrics(
  registry: MetricsRegistry,
  { cache: gatewayCache, shardIds }: { readonly cache: GatewayCache; readonly shardIds: readonly string[] },
): void {
  const { cache, maxBytes } = gatewayCache;
  if (cache === undefined) return;
  const report = oncePerTurn(() => cache.report());
  const collected = ({ name, help, of }: ReportedValue) => ({
    name: `shardgate_cache_${name}`,
    help,
    labels: [],
    samples: () => [{ labels: {}, value: of(report()) }],
  });
  for (const counter of COUNTERS) registerCounter(registry, collected(counter));
  for (const gauge of GAUGES) registerGauge(registry, collected(gauge));
  registerCounter(registry, {
    name: 'shardgate_cache_bypasses_total',
    help: 'Reads that went past the cache: asked, by the caller or the entity; uncacheable, by their nature.',
    labels: ['reason'],
    samples: () =>
      Object.entries(report().bypasses).map(([reason, value]) => ({ labels: { reason }, value })),
  });
  registerGauge(registry, {
    name: 'shardgate_cache_max_bytes',
    help: 'Heap that the kept answers may take.',
    labels: [],
    samples: () => [{ labels: {}, value: maxBytes }],
  });
  registerGauge(registry, {
    name: 'shardgate_cache_shard_heard',
    help: 'Whether what other processes write on the shard is heard of; while 0, the cache answers nothing of it.',
    labels: ['shard'],
    samples: () => {
      const nowMs = performance.now();
      return shardIds.map((shard) => ({
        labels: { shard },
        value: Number(gatewayCache.isHeard(shard, nowMs)),
      }));
    },
  });
}

/**
 * What `make` makes, for all who ask in one turn of the event loop. A registry collects all of its metrics in one,
 * and a report adds up every tenant.
 */
function oncePerTurn<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined;
  return () => {
    if (made === undefined) {
      made = { value: make() };
      queueMicrotask(() => {
        made = undefined;
      });
    }
    return made.value;
  };
}
