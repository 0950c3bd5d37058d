import type { NodeState, ShardView } from '../shards/shard-states.js';

/** Whether this process can serve, and what is missing. */
export interface Readiness {
  /** `degraded`: it serves, but a server is away. `unavailable`: the catalog or every shard is. */
  readonly status: 'ok' | 'degraded' | 'unavailable';
  readonly catalog: { readonly state: NodeState };
  readonly shards: readonly {
    readonly id: string;
    /** `down`: no writes reach it. `degraded`: a replica is away. */
    readonly state: 'up' | 'degraded' | 'down';
    readonly reason?: string;
  }[];
}

/** Judges from what is known of the catalog and of each shard. */
export function judgeReadiness(catalog: NodeState, shards: readonly ShardView[]): Readiness {
  const judged = shards.map(({ id, reason, ...shard }) => ({
    id,
    state: stateOf(shard),
    ...(reason !== undefined && { reason }),
  }));
  const isAway = catalog === 'down' || judged.every(({ state }) => state === 'down');
  const isWhole = judged.every(({ state }) => state === 'up');
  return {
    status: isAway ? 'unavailable' : isWhole ? 'ok' : 'degraded',
    catalog: { state: catalog },
    shards: judged,
  };
}

function stateOf({
  served,
  primary,
  replicas,
}: Pick<ShardView, 'served' | 'primary' | 'replicas'>): 'up' | 'degraded' | 'down' {
  if (!served || primary.state === 'down') return 'down';
  return replicas.every(({ state }) => state === 'up') ? 'up' : 'degraded';
}
