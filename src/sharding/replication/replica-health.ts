import { CircuitBreaker } from './circuit-breaker.js';
import type { NodeAnswer } from './node-answer.js';
import type { NodeStatus, OutReason } from './node-status.js';
import type { PrimaryHealth } from './primary-health.js';
import type { ReplicaCandidate } from './replica-choice.js';
import type { ReplicationOptions } from './replication-options.js';

/** What of a node its choice needs. */
export interface BusyNode {
  readonly id: string;
  readonly inUse: number;
}

/** What the polls of a replica and the reads of it found, and whether more reads may go there. */
export class ReplicaHealth<Node extends BusyNode> implements NodeStatus, ReplicaCandidate {
  readonly node: Node;
  readonly #options: ReplicationOptions;
  readonly #breaker: CircuitBreaker;
  #state: NodeStatus['state'] = 'unknown';
  #reason: OutReason | undefined = 'not asked yet';
  /** Why the last poll failed. */
  #failure: OutReason | undefined;
  #isDoubted = false;
  #isCatchingUp = false;
  #timeline = 0;
  #lsn = 0n;
  #lagMs: number | undefined;
  #lagBytes: number | undefined;

  constructor(node: Node, options: ReplicationOptions) {
    this.node = node;
    this.#options = options;
    this.#breaker = new CircuitBreaker(options.failuresToOpen);
  }

  get id(): string {
    return this.node.id;
  }

  get inUse(): number {
    return this.node.inUse;
  }

  get state(): NodeStatus['state'] {
    return this.#state;
  }

  get reason(): OutReason | undefined {
    return this.#reason;
  }

  get timeline(): number {
    return this.#timeline;
  }

  /** The farthest that it was seen. While it is behind that, after a crash, it is out. */
  get lsn(): bigint {
    return this.#lsn;
  }

  get lagMs(): number | undefined {
    return this.#lagMs;
  }

  get lagBytes(): number | undefined {
    return this.#lagBytes;
  }

  /**
   * It answered. A replica that crashed can be back with less than it had replayed before, and callers have
   * been promised what it had: it must catch up with itself first.
   */
  answered({ inRecovery, timeline, lsn }: NodeAnswer, nowMs: number): void {
    this.#isDoubted = false;
    if (!inRecovery) {
      this.failed('not a replica any more');
      return;
    }
    this.#state = 'up';
    this.#failure = undefined;
    this.#breaker.noteAnswer(nowMs);
    this.#isCatchingUp = timeline === this.#timeline && lsn < this.#lsn;
    if (this.#isCatchingUp) return;
    this.#timeline = timeline;
    this.#lsn = lsn;
  }

  /** It did not answer, or not as a replica. */
  failed(reason: OutReason): void {
    this.#state = 'down';
    this.#failure = reason;
  }

  /** A statement lost its connection, or the poll did: out until the next answer. */
  doubted(): void {
    this.#isDoubted = true;
  }

  /** A read failed with its connection. Reads that fail together count once: the first one casts doubt. */
  readFailed(nowMs: number): void {
    if (this.#state === 'up' && !this.#isDoubted) this.#breaker.noteFailure(nowMs);
  }

  /** A read succeeded. */
  readSucceeded(): void {
    this.#breaker.noteSuccess();
  }

  /** Draws the conclusions, after anything of the above and whenever its primary was polled. */
  judge(primary: PrimaryHealth, nowMs: number): void {
    const { latest } = primary.lag;
    // Of one that is in doubt nobody knows whether it still stands there.
    const isKnown = this.#state === 'up' && !this.#isDoubted && latest !== undefined;
    this.#lagBytes = isKnown ? Math.max(0, Number(latest - this.#lsn)) : undefined;
    this.#lagMs = isKnown ? Math.round(primary.lag.lagMs(this.#lsn, nowMs)) : undefined;
    this.#reason = this.#outBecause(primary);
  }

  #outBecause({ timeline }: PrimaryHealth): OutReason | undefined {
    const { maxLagMs, maxLagBytes } = this.#options;
    if (this.#state === 'unknown') return 'not asked yet';
    if (this.#failure !== undefined) return this.#failure;
    if (this.#isDoubted) return 'in doubt';
    // While the primary was never reached, nobody can say which timeline is the right one.
    if (timeline !== 0 && timeline !== this.#timeline) return 'on another timeline';
    if (this.#isCatchingUp) return 'catching up';
    if (this.#breaker.isOpen) return 'breaker open';
    // The time is 0 for one that is not behind in bytes.
    if ((this.#lagMs ?? 0) > maxLagMs || (this.#lagBytes ?? 0) > maxLagBytes) return 'lagging';
    return undefined;
  }
}
