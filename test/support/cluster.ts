import { afterAll } from '@jest/globals';
import type { EmbeddedClusterOptions } from '../../src/sharding/cluster/cluster-options.js';
import { EmbeddedCluster } from '../../src/sharding/cluster/embedded-cluster.js';
import { newClusterDirectory } from './cluster-directory.js';
import { afterLedgerChecks } from './ledgers-afterwards.js';
import { serversUnderTest } from './servers-under-test.js';

export { sharedCluster } from './shared-cluster.js';

const started: EmbeddedCluster[] = [];

afterAll(() => afterLedgerChecks(() => Promise.all(started.map((cluster) => cluster.stop()))), 60_000);

/**
 * Starts a cluster for one test file alone, which may kill its nodes. It is stopped and its directory removed
 * when the file is done, or when the test process dies. Takes about two seconds.
 */
export async function startOwnCluster(
  options: Partial<EmbeddedClusterOptions> = {},
): Promise<EmbeddedCluster> {
  const cluster = await EmbeddedCluster.start({
    dataDir: newClusterDirectory(),
    fsync: false,
    disposable: true,
    ...serversUnderTest(),
    ...options,
  });
  started.push(cluster);
  return cluster;
}
