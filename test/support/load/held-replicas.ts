import type { EmbeddedCluster } from '../../../src/sharding/cluster/embedded-cluster.js';
import { eventually } from '../eventually.js';
import { runAsAdmin } from '../own-databases.js';

/** The administrator's url of a replica: it has its primary's roles, only the port differs. */
export function replicaAdminUrl({ config }: Pick<EmbeddedCluster, 'config'>, replicaId: string): string {
  for (const { primary, replicas } of config.shards) {
    const replica = replicas.find(({ id }) => id === replicaId);
    if (replica === undefined) continue;
    const url = new URL(primary.adminUrl);
    url.port = new URL(replica.url).port;
    return url.href;
  }
  throw new Error(`The cluster has no replica ${replicaId}.`);
}

/** Makes every replica show a commit `delayMs` after it was made and not earlier; 0 ends it. */
export async function holdReplicasBehind(cluster: EmbeddedCluster, delayMs: number): Promise<void> {
  const replicaIds = cluster.config.shards.flatMap(({ replicas }) => replicas.map(({ id }) => id));
  await Promise.all(replicaIds.map((id) => holdBehind(cluster, id, delayMs)));
}

async function holdBehind(cluster: EmbeddedCluster, replicaId: string, delayMs: number): Promise<void> {
  await cluster.setConfig(replicaId, { recovery_min_apply_delay: `${delayMs}ms` });
  const url = replicaAdminUrl(cluster, replicaId);
  const sql = `SELECT setting::int AS ms FROM pg_settings WHERE name = 'recovery_min_apply_delay'`;
  await eventually(`${replicaId} is held back by ${delayMs} ms`, async () => {
    const { rows } = await runAsAdmin(url, sql);
    return (rows as { ms: number }[])[0]?.ms === delayMs;
  });
}
