import { Command } from 'commander';
import { SILENT_LOG } from '../common/log.js';
import { NodeDirectory } from '../sharding/connections/node-directory.js';
import { ReplicationMonitor } from '../sharding/replication/replication-monitor.js';
import { ShardMapStore } from '../sharding/topology/shard-map-store.js';
import type { ResolvedGatewayOptions } from '../gateway/gateway-options.js';
import type { CatalogDatabase } from '../sharding/connections/catalog-database.js';
import { withCatalog } from './catalog-session.js';
import { renderTable } from './table.js';

const EXAMPLES = `
Examples:
  $ shardgate shards          a table of all nodes
  $ shardgate shards --json   the same for programs
`;

interface NodeRow {
  readonly node: string;
  readonly role: string;
  readonly state: 'up' | 'down';
  readonly lagBytes: number | null;
  readonly buckets: number | null;
}

/** `shardgate shards`: the shards, their nodes and how far these have come. */
export function shardsCommand(): Command {
  return new Command('shards')
    .description('list the shards, their nodes, lag and buckets')
    .option('--json', 'print JSON')
    .addHelpText('after', EXAMPLES)
    .action(async ({ json }: { json?: true }) => {
      const rows = await withCatalog(listNodes);
      if (json === true) {
        console.log(JSON.stringify(rows, undefined, 2));
        return;
      }
      const cells = rows.map(({ node, role, state, lagBytes, buckets }) => [
        node,
        role,
        state,
        lagBytes === null ? '' : String(lagBytes),
        buckets === null ? '' : String(buckets),
      ]);
      console.log(renderTable(['NODE', 'ROLE', 'STATE', 'LAG BYTES', 'BUCKETS'], cells));
    });
}

async function listNodes(catalog: CatalogDatabase, options: ResolvedGatewayOptions): Promise<NodeRow[]> {
  const map = await new ShardMapStore(catalog).load();
  const nodes = await NodeDirectory.create(options.shards, options.pool, [], SILENT_LOG);
  const monitor = new ReplicationMonitor(nodes, options.replication, SILENT_LOG);
  try {
    await monitor.start();
    return nodes.all().map((node) => {
      const { state, lagBytes } = monitor.status(node.id);
      return {
        node: node.id,
        role: node.role,
        state: state === 'up' ? 'up' : 'down',
        lagBytes: lagBytes ?? null,
        buckets: node.role === 'primary' ? (map?.bucketsOf(node.shardId).length ?? 0) : null,
      };
    });
  } finally {
    await monitor.stop();
    await nodes.close();
  }
}
