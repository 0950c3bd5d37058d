import type { LogHistory, ReplicatedChange } from '../../common/replicated-change.js';
import type { GatheredWrites, WrittenBefore } from '../bus/write-notice.js';
import { CommitWrites } from './commit-writes.js';
import { LogProof } from './log-proof.js';
import { ServerSnapshot } from './server-snapshot.js';
import { UnseenCommits, type EndWrites } from './unseen-commits.js';

/** What the primary is asked beside what it shows. */
export type PrimaryQuestion = 'mark' | 'horizon' | 'nothing more';

/** What the primary says of itself. */
export interface PrimaryAnswer extends LogHistory {
  /** Text of a `pg_snapshot` of this moment. */
  readonly snapshot: string;
  /** For `mark`: a place in the log that is written now. */
  readonly mark: bigint | undefined;
  /** For `horizon`: a transaction that begins now. */
  readonly horizon: bigint | undefined;
}

/** Who is asked, and who is told. Only `ask` may fail. */
export interface LogFollowerHooks {
  ask(question: PrimaryQuestion): Promise<PrimaryAnswer>;
  /** These are neither served nor kept until the function is called; then they count as changed. */
  onWrites(writes: GatheredWrites, position: WrittenBefore): EndWrites;
  /** The same for all of the shard: what was written before the log is followed is not known. */
  onGap(): EndWrites;
  /** The primary is being asked; a good time to tell the server how far its log was read. */
  onBeat(): void;
}

/** How the log is followed. */
export interface LogFollowerOptions {
  /** How often the log is marked, ms. Default 250. */
  readonly beatMs: number;
  /** How old what the log told may be, ms. Default 1,500. */
  readonly silenceMs: number;
  /** How long until a primary is asked again that does not show a commit yet, at first, ms. Default 5. */
  readonly againMs: number;
  /** Milliseconds of a clock that never goes back. Default: that of `performance`. */
  readonly now: () => number;
}

/** The longest pause before a primary is asked again that goes on not showing a commit. */
const AGAIN_MS_MAX = 100;

/**
 * Makes of a shard's log, as it is streamed, what the cache has to know of writes, whoever made them; and says
 * whether the log is heard in time. It trusts marks that have come back through the log, not the connection: a
 * stream that is behind is not heard, however lively.
 */
export class LogFollower {
  readonly #hooks: LogFollowerHooks;
  readonly #options: LogFollowerOptions;
  readonly #unseen = new UnseenCommits();
  #writes = new CommitWrites();
  #proof = new LogProof();
  /** The stream's, while there is one. */
  #history: LogHistory | undefined;
  #beatTimer: NodeJS.Timeout | undefined;
  #againTimer: NodeJS.Timeout | undefined;
  #isAsking = false;
  /** Something came up while the primary was being asked that its answer may not cover. */
  #isAskedTooEarly = false;
  #isMarkDue = false;
  #againMs: number;

  constructor(hooks: LogFollowerHooks, options: Partial<LogFollowerOptions> = {}) {
    this.#hooks = hooks;
    this.#options = { beatMs: 250, silenceMs: 1_500, againMs: 5, now: () => performance.now(), ...options };
    this.#againMs = this.#options.againMs;
  }

  /** Whether everything is known that anybody was shown up to `silenceMs` ago. Otherwise nothing may be served. */
  get isHeard(): boolean {
    return this.isHeardAt(this.#options.now());
  }

  /** The same, for who has just looked at the clock. */
  isHeardAt(nowMs: number): boolean {
    return nowMs <= this.#proof.provenMs + this.#options.silenceMs;
  }

  /** A stream begins. What was written before it is not known. */
  started(history: LogHistory): void {
    this.lost();
    this.#history = history;
    this.#unseen.addPast(this.#hooks.onGap());
    this.#beatTimer = setInterval(() => {
      this.#beat();
    }, this.#options.beatMs).unref();
    this.#beat();
  }

  /** A change came, of the transaction whose commit comes next. */
  changed(change: ReplicatedChange): void {
    this.#writes.add(change);
  }

  /** The commit came; its record ends at `lsn`. */
  committed(xid: number, lsn: bigint): void {
    const writes = this.#writes.take();
    if (this.#history !== undefined && (writes === 'everything' || writes.length > 0)) {
      const { timeline } = this.#history;
      if (this.#unseen.isFull) this.#unseen.addPast(this.#hooks.onGap());
      this.#unseen.add(xid, this.#hooks.onWrites(writes, { timeline, lsn }));
      this.#againMs = this.#options.againMs;
      this.#askNow();
    }
    this.#proof.reach(lsn);
  }

  /** The log has been read up to here. */
  reached(lsn: bigint): void {
    this.#proof.reach(lsn);
  }

  /**
   * The stream is gone. Nothing is served until there is another one, which begins with a gap; and that waits
   * for commits which are not shown until then. So nothing has to be waited for here.
   */
  lost(): void {
    clearInterval(this.#beatTimer);
    clearTimeout(this.#againTimer);
    this.#history = undefined;
    this.#writes = new CommitWrites();
    this.#proof = new LogProof();
    this.#unseen.clear();
  }

  #beat(): void {
    this.#isMarkDue = true;
    this.#hooks.onBeat();
    this.#askNow();
  }

  #askNow(): void {
    if (this.#isAsking) this.#isAskedTooEarly = true;
    else void this.#ask();
  }

  async #ask(): Promise<void> {
    const history = this.#history;
    if (history === undefined) return;
    const askedMs = this.#options.now();
    this.#isAsking = true;
    this.#isAskedTooEarly = false;
    clearTimeout(this.#againTimer);
    const answer = await this.#hooks.ask(this.#question()).catch(() => undefined);
    this.#isAsking = false;
    // While a stream lasts its server is the same one; another one's numbers mean nothing here.
    if (answer !== undefined && history === this.#history && isSame(answer, history)) {
      this.#learn(answer, askedMs);
    }
    if (this.#mustAskAnew()) void this.#ask();
    else if (answer !== undefined && !this.#unseen.isEmpty) this.#askAgain();
  }

  #mustAskAnew(): boolean {
    return this.#isAskedTooEarly;
  }

  /** A mark never goes with a horizon: what both begins a transaction and writes would wait for the disk. */
  #question(): PrimaryQuestion {
    if (this.#isMarkDue) {
      this.#isMarkDue = false;
      return 'mark';
    }
    return this.#unseen.needsHorizon ? 'horizon' : 'nothing more';
  }

  #learn({ snapshot, mark, horizon }: PrimaryAnswer, askedMs: number): void {
    this.#unseen.shown(ServerSnapshot.parse(snapshot));
    // Something may have been added since it was asked for: that needs another one.
    if (horizon !== undefined && !this.#isAskedTooEarly) this.#unseen.beganLater(horizon);
    if (mark !== undefined) this.#proof.mark(mark, askedMs);
  }

  #askAgain(): void {
    clearTimeout(this.#againTimer);
    this.#againTimer = setTimeout(() => {
      this.#askNow();
    }, this.#againMs).unref();
    this.#againMs = Math.min(this.#againMs * 2, AGAIN_MS_MAX);
  }
}

function isSame(one: LogHistory, other: LogHistory): boolean {
  return one.systemIdentifier === other.systemIdentifier && one.timeline === other.timeline;
}
