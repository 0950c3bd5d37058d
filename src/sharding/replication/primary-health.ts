import { LagClock } from './lag-clock.js';
import type { NodeAnswer } from './node-answer.js';
import type { NodeStatus, OutReason } from './node-status.js';

/** What the polls of a primary found: whether it may be written to, and how far it has come when. */
export class PrimaryHealth implements NodeStatus {
  readonly lag = new LagClock();
  readonly lagMs = undefined;
  readonly lagBytes = undefined;
  #state: NodeStatus['state'] = 'unknown';
  #reason: OutReason | undefined = 'not asked yet';
  #timeline = 0;
  #timelineStartLsn = 0n;
  #lsn = 0n;

  get state(): NodeStatus['state'] {
    return this.#state;
  }

  get reason(): OutReason | undefined {
    return this.#reason;
  }

  get timeline(): number {
    return this.#timeline;
  }

  get lsn(): bigint {
    return this.#lsn;
  }

  /** Where it was first seen on its timeline: all that is left of earlier ones lies before. */
  get timelineStartLsn(): bigint {
    return this.#timelineStartLsn;
  }

  /** It answered. A standby in the place of a primary cannot be written to, and says nothing of the log. */
  answered({ inRecovery, timeline, lsn }: NodeAnswer, nowMs: number): void {
    if (inRecovery) {
      this.failed('is a standby');
      return;
    }
    if (timeline !== this.#timeline) {
      this.lag.clear();
      this.#timelineStartLsn = lsn;
    }
    this.lag.note(lsn, nowMs);
    this.#timeline = timeline;
    this.#lsn = lsn;
    this.#state = 'up';
    this.#reason = undefined;
  }

  /** It did not answer, or not as a primary. */
  failed(reason: OutReason): void {
    this.#state = 'down';
    this.#reason = reason;
  }

  /** A statement lost its connection: out until the next answer. */
  doubted(): void {
    if (this.#state === 'up') this.#reason = 'in doubt';
  }
}
