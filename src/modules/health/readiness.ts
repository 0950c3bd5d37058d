import type { ShardHealth } from '../shards/shard-states.js';

/** What is known of the catalog. */
export interface CatalogHealth {
  readonly state: 'up' | 'down';
  /** Why the gateway has not started with it yet. */
  readonly reason?: string;
}

/** Whether this process can serve, and what is missing. */
export interface Readiness {
  /** `degraded`: it serves, but a server is away. `unavailable`: the catalog or every shard is. */
  readonly status: 'ok' | 'degraded' | 'unavailable';
  readonly catalog: CatalogHealth;
  readonly shards: readonly {
    readonly id: string;
    /** `down`: no writes reach it. `degraded`: a replica is away. */
    readonly state: 'up' | 'degraded' | 'down';
    readonly reason?: string;
  }[];
}

/** Judges from what is known of the catalog and of each shard. */
export function judgeReadiness(catalog: CatalogHealth, shards: readonly ShardHealth[]): Readiness {
  const judged = shards.map(({ id, reason, ...shard }) => ({
    id,
    state: stateOf(shard),
    ...(reason !== undefined && { reason }),
  }));
  const isAway = catalog.state === 'down' || judged.every(({ state }) => state === 'down');
  const isWhole = judged.every(({ state }) => state === 'up');
  return {
    status: isAway ? 'unavailable' : isWhole ? 'ok' : 'degraded',
    catalog,
    shards: judged,
  };
}

function stateOf({
  served,
  primary,
  replicas,
}: Omit<ShardHealth, 'id' | 'reason'>): 'up' | 'degraded' | 'down' {
  if (!served || primary.state === 'down') return 'down';
  return replicas.every(({ state }) => state === 'up') ? 'up' : 'degraded';
}
