import { EmbeddedCluster } from '../../src/sharding/cluster/embedded-cluster.js';
import type { EmbeddedClusterOptions } from '../../src/sharding/cluster/cluster-options.js';

/**
 * A process that owns a cluster, for tests that kill owners: it takes the options as JSON in its first argument,
 * and prints one line, `{ nodes }` when the servers are up or `{ error }` when they are not to be had. It stops
 * the cluster on SIGTERM.
 */
async function main(): Promise<void> {
  const options = JSON.parse(process.argv[2] ?? '{}') as EmbeddedClusterOptions;
  const startedAt = performance.now();
  const cluster = await EmbeddedCluster.start(options);
  const durationMs = Math.round(performance.now() - startedAt);
  const keepAlive = setInterval(() => undefined, 60_000);
  process.once('SIGTERM', () => {
    clearInterval(keepAlive);
    void cluster.stop();
  });
  report({ nodes: cluster.nodes(), configPath: cluster.configPath, durationMs });
}

function report(line: object): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

main().catch((error: unknown) => {
  report({ error: String(error) });
  process.exitCode = 1;
});
