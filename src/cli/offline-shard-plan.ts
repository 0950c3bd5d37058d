import { SILENT_LOG } from '../common/log.js';
import type { ResolvedGatewayOptions } from '../gateway/gateway-options.js';
import { shardPlanOf, type ShardPlan } from '../gateway/shard-plan.js';
import { NodeDirectory } from '../sharding/connections/node-directory.js';

/** The plan that a gateway with these options would hold its shards to; asks no server. */
export async function offlineShardPlan(options: ResolvedGatewayOptions): Promise<ShardPlan> {
  const { shards, pool, entities } = options;
  const nodes = await NodeDirectory.create(shards.slice(0, 1), pool, entities, SILENT_LOG);
  const metadatas = nodes.all()[0]?.dataSource.entityMetadatas ?? [];
  await nodes.close();
  return shardPlanOf(options, metadatas);
}
