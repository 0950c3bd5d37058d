import type { PoolUse } from '../../sharding/connections/connection-pool.js';
import type { DatabaseNode } from '../../sharding/connections/database-node.js';
import type { NodeDirectory } from '../../sharding/connections/node-directory.js';
import type { NodeStatus } from '../../sharding/replication/node-status.js';
import type { ReplicationMonitor } from '../../sharding/replication/replication-monitor.js';
import { nodeStateOf, type NodeState } from '../node-state.js';
import type { StartedCatalog } from '../started-catalog.js';
import { registerGauge, type MetricsRegistry, type Sample } from './collected-metric.js';

/** What is asked for the state of the nodes and of their pools. */
export interface WatchedNodes {
  readonly nodes: NodeDirectory;
  readonly monitor: ReplicationMonitor;
  readonly catalog: StartedCatalog;
}

type PoolLabel = 'shard' | 'node' | 'login';

const STATES: Readonly<Record<DatabaseNode['role'], readonly NodeState[]>> = {
  primary: ['up', 'down'],
  replica: ['up', 'lagging', 'down'],
};

/** Registers how the nodes are, how far the replicas are behind, and how full the pools are. Asks no server. */
export function registerNodeMetrics(registry: MetricsRegistry, watched: WatchedNodes): void {
  const { nodes, monitor } = watched;
  registerGauge(registry, {
    name: 'shardgate_node_state',
    help: '1 for the state that the node is in, 0 for the others. A replica that is lagging answers, but is not read from.',
    labels: ['shard', 'node', 'role', 'state'],
    samples: () =>
      nodes.all().flatMap(({ id, shardId, role }) => {
        const current = nodeStateOf(monitor.status(id));
        return STATES[role].map((state) => ({
          labels: { shard: shardId, node: id, role, state },
          value: Number(state === current),
        }));
      }),
  });
  const lag = (name: string, help: string, lagOf: (status: NodeStatus) => number | undefined): void => {
    registerGauge(registry, {
      name: `shardgate_replica_lag_${name}`,
      help: `${help} Not there while it is not known.`,
      labels: ['shard', 'node'],
      samples: () =>
        nodes.shardIds
          .flatMap((shardId) => nodes.replicas(shardId))
          .flatMap(({ id, shardId }) => {
            const value = lagOf(monitor.status(id));
            return value === undefined ? [] : [{ labels: { shard: shardId, node: id }, value }];
          }),
    });
  };
  lag('bytes', 'Bytes of write-ahead log that the replica has not replayed.', ({ lagBytes }) => lagBytes);
  lag('seconds', 'How long ago the primary wrote what the replica has not replayed.', ({ lagMs }) =>
    lagMs === undefined ? undefined : lagMs / 1_000,
  );
  const pool = (name: string, help: string, value: (use: PoolUse) => number): void => {
    registerGauge<PoolLabel>(registry, {
      name: `shardgate_pool_${name}`,
      help,
      labels: ['shard', 'node', 'login'],
      samples: () => poolsOf(watched).map(({ labels, use }) => ({ labels, value: value(use) })),
    });
  };
  pool('open_connections', 'Open connections to the node, idle ones included.', ({ open }) => open);
  pool('idle_connections', 'Open connections that nobody uses.', ({ idle }) => idle);
  pool('waiting_callers', 'Callers that wait for a connection.', ({ waiting }) => waiting);
  pool('max_connections', 'The most connections that are opened.', ({ limit }) => limit);
}

/** By login: that of the gateway, and those of tenants together. The catalog belongs to no shard. */
function poolsOf({ nodes, catalog }: WatchedNodes): { labels: Sample<PoolLabel>['labels']; use: PoolUse }[] {
  return [
    { labels: { node: 'catalog', login: 'shared' }, use: catalog.pool },
    ...nodes
      .all()
      .flatMap(({ id, shardId, pools }) =>
        Object.entries(pools).flatMap(([login, use]) =>
          use === undefined ? [] : [{ labels: { shard: shardId, node: id, login }, use }],
        ),
      ),
  ];
}
