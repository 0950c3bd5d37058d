import { randomBytes } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Logger } from 'pino';
import type { EmbeddedCluster } from '../../sharding/cluster/embedded-cluster.js';
import { startService } from '../service.js';

/** What the demo runs on: servers in a temporary directory, and a gateway that serves HTTP. */
export interface DemoSite {
  readonly cluster: EmbeddedCluster;
  readonly url: string;
  readonly operatorKey: string;
  readonly startedInMs: number;
  /** Stops everything and removes the directory. */
  close(): Promise<void>;
}

/** Starts servers and gateway. Nothing of it outlives this process, however it ends. */
export async function openDemoSite(log: Logger): Promise<DemoSite> {
  const startedAt = performance.now();
  const { EmbeddedCluster } = await import('../../sharding/cluster/embedded-cluster.js');
  const cluster = await EmbeddedCluster.start({
    dataDir: join(tmpdir(), `shardgate-demo-${process.pid}-${randomBytes(4).toString('hex')}`),
    shards: 2,
    replicas: 1,
    disposable: true,
    log,
  });
  try {
    const operatorKey = randomBytes(32).toString('hex');
    const service = await startService({
      servers: cluster.config,
      host: '127.0.0.1',
      port: 0,
      operatorKey,
      withDemo: false,
      log,
    });
    const close = async (): Promise<void> => {
      await service.stop();
      await cluster.stop();
    };
    return { cluster, url: service.url, operatorKey, startedInMs: performance.now() - startedAt, close };
  } catch (error) {
    await cluster.stop();
    throw error;
  }
}
