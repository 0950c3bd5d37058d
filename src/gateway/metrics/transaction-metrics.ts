import type { TransactionRecovery } from '../../sharding/transactions/transaction-recovery.js';
import { registerCounter, registerGauge, type MetricsRegistry } from './collected-metric.js';

/** Registers what recovery of transactions over several shards found. */
export function registerTransactionMetrics(
  registry: MetricsRegistry,
  recovery: Pick<TransactionRecovery, 'counts'>,
): void {
  registerGauge(registry, {
    name: 'shardgate_transactions_in_doubt',
    help: 'Transactions over several shards that recovery could not finish when it looked last.',
    labels: [],
    samples: () => [{ labels: {}, value: recovery.counts.inDoubt }],
  });
  registerCounter(registry, {
    name: 'shardgate_transactions_recovered_total',
    help: 'Transactions over several shards that this process finished for their coordinator, by decision.',
    labels: ['decision'],
    samples: () =>
      Object.entries(recovery.counts.finished).map(([decision, value]) => ({ labels: { decision }, value })),
  });
}
