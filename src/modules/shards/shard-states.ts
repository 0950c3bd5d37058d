import { Injectable } from '@nestjs/common';
import { GatewayRuntime } from '../../gateway/gateway-runtime.js';

/** Whether a server answers this process. */
export type NodeState = 'up' | 'down';

/** One replica, as this process sees it. */
export interface ReplicaView {
  readonly id: string;
  readonly state: NodeState;
  /** Bytes of write-ahead log that it is behind its primary; null while that is not known. */
  readonly lagBytes: number | null;
  /** Age of the last transaction that it replayed, 0 when nothing is left to replay; null while not known. */
  readonly lagMs: number | null;
}

/** One shard, as this process sees it. */
export interface ShardView {
  readonly id: string;
  /** False while its schema is not what this release expects: then no call reaches it. */
  readonly served: boolean;
  /** Why it is not served. */
  readonly reason?: string;
  readonly primary: { readonly state: NodeState };
  readonly replicas: readonly ReplicaView[];
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

  /** Every configured shard, in the order of the configuration. */
  list(): ShardView[] {
    const { nodes, shardMapWatcher, gate } = this.#runtime;
    const map = shardMapWatcher.current();
    return nodes.shardIds.map((id) => {
      const reason = gate.closedBecause(id);
      return {
        id,
        served: reason === undefined,
        ...(reason !== undefined && { reason }),
        primary: { state: this.#stateOf(id) },
        replicas: this.#replicasOf(id),
        buckets: map.bucketsOf(id).length,
      };
    });
  }

  #replicasOf(shardId: string): ReplicaView[] {
    const { nodes, monitor } = this.#runtime;
    return nodes.replicas(shardId).map((replica) => {
      const lagBytes = monitor.lagBytes(replica);
      return {
        id: replica.id,
        state: this.#stateOf(replica.id),
        lagBytes: lagBytes === undefined ? null : Number(lagBytes),
        lagMs: monitor.status(replica.id).lagMs ?? null,
      };
    });
  }

  #stateOf(nodeId: string): NodeState {
    return this.#runtime.monitor.status(nodeId).reachable ? 'up' : 'down';
  }
}
