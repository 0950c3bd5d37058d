import type { ClusterConfig } from '../../src/sharding/cluster/cluster-config.js';

/** Where the global setup leaves the shared cluster's configuration for test workers. */
export const SHARED_CLUSTER_VARIABLE = 'SHARDGATE_TEST_CLUSTER';

/**
 * Where the global setup leaves the shared cluster's directory. It is removed when the run ends, however it
 * ends; what test files put in there goes with it.
 */
export const RUN_DIRECTORY_VARIABLE = 'SHARDGATE_TEST_DIRECTORY';

/**
 * The cluster that all test files of a run share: two shards with a replica each. Its servers must stay up and
 * its databases usable for others: a file that kills nodes starts its own cluster.
 */
export function sharedCluster(): ClusterConfig {
  const config = process.env[SHARED_CLUSTER_VARIABLE];
  if (config === undefined) {
    throw new Error('No shared cluster: tests that need one belong in test/integration or test/e2e.');
  }
  return JSON.parse(config) as ClusterConfig;
}
