import { EmbeddedCluster } from '../../src/sharding/cluster/embedded-cluster.js';
import { newClusterDirectory } from './cluster-directory.js';
import { keepScratchInMemory } from './scratch-memory.js';
import { serversUnderTest } from './servers-under-test.js';
import { RUN_DIRECTORY_VARIABLE, SHARED_CLUSTER_VARIABLE } from './shared-cluster.js';

/** Folders whose tests need no servers: a run of nothing else does not start any. */
const WITHOUT_CLUSTER = /test\/(unit|property)\b/;

let cluster: EmbeddedCluster | undefined;

/** Starts the cluster that all test files of this run share; test workers find it in their environment. */
export async function startRunCluster(testPathPatterns: readonly string[]): Promise<void> {
  const needless =
    testPathPatterns.length > 0 && testPathPatterns.every((pattern) => WITHOUT_CLUSTER.test(pattern));
  if (needless || cluster !== undefined) return;
  keepScratchInMemory();
  const dataDir = newClusterDirectory();
  cluster = await EmbeddedCluster.start({
    dataDir,
    shards: 2,
    replicas: 1,
    fsync: false,
    disposable: true,
    ...serversUnderTest(),
  });
  process.env[SHARED_CLUSTER_VARIABLE] = JSON.stringify(cluster.config);
  process.env[RUN_DIRECTORY_VARIABLE] = dataDir;
}

/** Stops the shared cluster and removes its directory. */
export async function stopRunCluster(): Promise<void> {
  await cluster?.stop();
  cluster = undefined;
}
