import type { ClusterConfig } from '../../src/sharding/cluster/cluster-config.js';
import { assertLedgerSound } from './ledger-check.js';

const ledgers: ClusterConfig[] = [];

/** Has the ledgers of these servers checked when the file is done, whatever it did: it fails if one is not sound. */
export function checkLedgersAfterwards(config: ClusterConfig): void {
  ledgers.push(config);
}

/** Runs what takes a file's servers away, behind the checks that are due on them. */
export async function afterLedgerChecks(takeAway: () => Promise<unknown>): Promise<void> {
  const checks = await Promise.allSettled(ledgers.splice(0).map(assertLedgerSound));
  await takeAway();
  for (const check of checks) if (check.status === 'rejected') throw check.reason;
}
