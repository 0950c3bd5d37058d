import { Injectable } from '@nestjs/common';
import { GatewayRuntime } from '../../gateway/gateway-runtime.js';
import { nodeStateOf, type NodeState } from '../../gateway/node-state.js';

/** One replica, as this process sees it. */
export interface ReplicaView {
  readonly id: string;
  /** Reads go to it when it is `up`. */
  readonly state: NodeState;
  /** Why no reads go to it. */
  readonly reason?: string;
  /** Bytes of write-ahead log that it is behind its primary; null while that is not known. */
  readonly lagBytes: number | null;
  /** How long ago its primary wrote what it has not replayed, 0 when it has all; null while not known. */
  readonly lagMs: number | null;
}

/** Whether one shard can serve, as this process sees it. */
export interface ShardHealth {
  readonly id: string;
  /** False while its schema is not what this release expects: then no call reaches it. */
  readonly served: boolean;
  /** Why it is not served. */
  readonly reason?: string;
  readonly primary: {
    readonly state: 'up' | 'down';
    /** Why no writes go to it. */
    readonly reason?: string;
  };
  readonly replicas: readonly ReplicaView[];
}

/** One shard, as this process sees it. */
export interface ShardView extends ShardHealth {
  /** How many of the 4,096 buckets it holds. */
  readonly buckets: number;
}

/** What the background polls know of the shards; asks no server. */
@Injectable()
export class ShardStates {
  readonly #runtime: GatewayRuntime;

  constructor(runtime: GatewayRuntime) {
    this.#runtime = runtime;
  }

  /**
   * Every configured shard, in the order of the configuration.
   *
   * @throws CatalogUnavailableError before the shard map is known
   */
  list(): ShardView[] {
    const map = this.#runtime.shardMapWatcher.current();
    return this.health().map((health) => ({ ...health, buckets: map.bucketsOf(health.id).length }));
  }

  /** The same but for what the shard map says: known from the start, also while the catalog is away. */
  health(): ShardHealth[] {
    const { nodes, gate } = this.#runtime;
    return nodes.shardIds.map((id) => {
      const reason = gate.closedBecause(id);
      return {
        id,
        served: reason === undefined,
        ...(reason !== undefined && { reason }),
        primary: this.#primaryOf(id),
        replicas: this.#replicasOf(id),
      };
    });
  }

  #primaryOf(shardId: string): ShardView['primary'] {
    const { reason } = this.#runtime.monitor.status(shardId);
    return reason === undefined ? { state: 'up' } : { state: 'down', reason };
  }

  #replicasOf(shardId: string): ReplicaView[] {
    const { nodes, monitor } = this.#runtime;
    return nodes.replicas(shardId).map(({ id }) => {
      const status = monitor.status(id);
      const { reason, lagBytes, lagMs } = status;
      return {
        id,
        state: nodeStateOf(status),
        ...(reason !== undefined && { reason }),
        lagBytes: lagBytes ?? null,
        lagMs: lagMs ?? null,
      };
    });
  }
}
