import type { GatewayRuntime } from '../gateway-runtime.js';
import { registerCacheMetrics } from './cache-metrics.js';
import { registerCounter, registerGauge, type MetricsRegistry } from './collected-metric.js';
import { registerNodeMetrics } from './node-metrics.js';
import { registerTransactionMetrics } from './transaction-metrics.js';

/**
 * What the gateway of this process tells Prometheus: its cache, reads by source, shards, nodes, pools, and
 * transactions in doubt. Values are taken from what it counts anyway when the registry is asked; no metric has a
 * label with a tenant, a user or a statement.
 *
 * @example
 * ```ts
 * import { Registry } from 'prom-client';
 *
 * class Metrics {
 *   readonly registry = new Registry();
 *
 *   constructor(gateway: GatewayMetrics) {
 *     gateway.register(this.registry);
 *   }
 * }
 * ```
 */
export class GatewayMetrics {
  readonly #runtime: GatewayRuntime;

  constructor(runtime: GatewayRuntime) {
    this.#runtime = runtime;
  }

  /**
   * Registers all of them, named `shardgate_…`. Once per registry; as many registries as there are may have them.
   *
   * @throws Error of prom-client when the registry has metrics of these names
   */
  register(registry: MetricsRegistry): void {
    const { access, cache, gate, nodes } = this.#runtime;
    const { shardIds } = nodes;
    registerCounter(registry, {
      name: 'shardgate_reads_total',
      help: 'Reads that were answered, by source: cache, replica or primary. Those in transactions are not counted.',
      labels: ['shard', 'source'],
      samples: () =>
        [...access.reads.counts.byShard].flatMap(([shard, counts]) =>
          Object.entries(counts).map(([source, value]) => ({ labels: { shard, source }, value })),
        ),
    });
    registerGauge(registry, {
      name: 'shardgate_shard_served',
      help: 'Whether the shard is served: 0 while its schema is not what this release expects.',
      labels: ['shard'],
      samples: () =>
        shardIds.map((shard) => ({
          labels: { shard },
          value: Number(gate.closedBecause(shard) === undefined),
        })),
    });
    registerCacheMetrics(registry, { cache, shardIds });
    registerNodeMetrics(registry, this.#runtime);
    registerTransactionMetrics(registry, this.#runtime.transactions.recovery);
  }
}
