import type { ShardPosition } from '../../common/shard-position.js';
import { PrimaryHealth } from './primary-health.js';
import { ReplicaHealth, type BusyNode } from './replica-health.js';
import type { ReplicationOptions } from './replication-options.js';

/** What is known of the nodes of one shard, and what follows from it for all of them. */
export class ShardHealth<Node extends BusyNode> {
  readonly primary = new PrimaryHealth();
  readonly replicas: readonly ReplicaHealth<Node>[];
  /** The timeline that all replicas are on; 0 when they differ. */
  #commonTimeline = 0;
  /** What all replicas have replayed. */
  #commonLsn = 0n;

  constructor(replicas: readonly Node[], options: ReplicationOptions) {
    this.replicas = replicas.map((node) => new ReplicaHealth(node, options));
  }

  /** Draws the conclusions from whatever has changed. */
  judge(nowMs: number): void {
    for (const replica of this.replicas) replica.judge(this.primary, nowMs);
    const [first] = this.replicas;
    if (first === undefined) return;
    const areTogether = this.replicas.every(({ timeline }) => timeline === first.timeline);
    this.#commonTimeline = areTogether ? first.timeline : 0;
    this.#commonLsn = this.replicas.reduce((least, { lsn }) => (lsn < least ? lsn : least), first.lsn);
    if (this.#commonTimeline === this.primary.timeline) this.primary.lag.forgetUpTo(this.#commonLsn);
  }

  /**
   * Whether every replica, those that are away included, has replayed a position. One of an earlier timeline
   * has been replayed, or was lost with it, when all have gone beyond the start of the primary's own.
   */
  isEverywhere({ timeline, lsn }: Pick<ShardPosition, 'timeline' | 'lsn'>): boolean {
    if (this.replicas.length === 0) return true;
    if (timeline === this.#commonTimeline) return this.#commonLsn >= lsn;
    const { primary } = this;
    return (
      timeline < primary.timeline &&
      this.#commonTimeline === primary.timeline &&
      this.#commonLsn >= primary.timelineStartLsn
    );
  }
}
