import { execFile } from 'node:child_process';
import { chmod, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { EmbeddedClusterOptions } from '../../src/sharding/cluster/cluster-options.js';
import { EmbeddedCluster } from '../../src/sharding/cluster/embedded-cluster.js';
import { startOwnCluster } from './cluster.js';
import { newClusterDirectory } from './cluster-directory.js';
import { newDirectory } from './gateway-process.js';
import { serversUnderTest } from './servers-under-test.js';

const runFile = promisify(execFile);

/** The data of a new cluster that has been stopped. Clusters on copies of it are spared most of a first start. */
export class ClusterTemplate {
  readonly #dataDir: string;

  private constructor(dataDir: string) {
    this.#dataDir = dataDir;
  }

  /** Makes one for the test file; it is removed when the file is done. */
  static async make(options: Pick<EmbeddedClusterOptions, 'shards' | 'replicas'>): Promise<ClusterTemplate> {
    const directory = newDirectory('template-');
    // Another user may run the servers in there.
    await chmod(directory, 0o711);
    const dataDir = join(directory, 'data');
    const cluster = await EmbeddedCluster.start({
      dataDir,
      fsync: false,
      ...serversUnderTest(),
      ...options,
    });
    await cluster.stop();
    await forgetPorts(join(dataDir, 'cluster.json'));
    return new ClusterTemplate(dataDir);
  }

  /** Starts a cluster for one test, as {@link startOwnCluster} does: new, with passwords that its siblings have too. */
  async startCopy(): Promise<EmbeddedCluster> {
    const dataDir = newClusterDirectory();
    await runFile('cp', ['-Rp', this.#dataDir, dataDir]);
    return startOwnCluster({ dataDir });
  }
}

/** Copies that start at the same time would all want the same ports. */
async function forgetPorts(manifestPath: string): Promise<void> {
  const manifest = JSON.parse(await readFile(manifestPath, 'utf8')) as object;
  await writeFile(manifestPath, JSON.stringify({ ...manifest, ports: {} }));
}
