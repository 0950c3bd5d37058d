import type { ServerSnapshot } from './server-snapshot.js';

/** Commits that are waited for one by one; with more, it is for all that were under way. */
const COMMITS_MAX = 1_000;

/** Ends what was begun for writes: everybody is shown them now. */
export type EndWrites = () => void;

interface UnseenCommit {
  readonly xid: number;
  readonly end: EndWrites;
}

interface UnseenPast {
  readonly end: EndWrites;
  /** A transaction that began later than all that it is about; undefined until the primary has named one. */
  horizon: bigint | undefined;
}

/**
 * Commits of which the log has told and that the primary may not show yet: it writes one to the log, waits for
 * the disk and for synchronous standbys, and only then shows it. Until it does, others would read, and keep,
 * what was before.
 */
export class UnseenCommits {
  #commits: UnseenCommit[] = [];
  #pasts: UnseenPast[] = [];

  get isEmpty(): boolean {
    return this.#commits.length === 0 && this.#pasts.length === 0;
  }

  /** Whether there are so many that they should be waited for together. */
  get isFull(): boolean {
    return this.#commits.length >= COMMITS_MAX;
  }

  /** Whether the primary has to name a transaction that begins now. */
  get needsHorizon(): boolean {
    return this.#pasts.some(({ horizon }) => horizon === undefined);
  }

  /** One that the log told of. */
  add(xid: number, end: EndWrites): void {
    this.#commits.push({ xid, end });
  }

  /** All that may have been written to the log until now, in place of those that are known. */
  addPast(end: EndWrites): void {
    this.#pasts.push({ end, horizon: undefined });
    const commits = this.#commits;
    this.#commits = [];
    for (const commit of commits) commit.end();
  }

  /** The primary named a transaction, being asked after everything that was added. */
  beganLater(horizon: bigint): void {
    for (const past of this.#pasts) past.horizon ??= horizon;
  }

  /** Ends those that the primary shows. */
  shown(snapshot: ServerSnapshot): void {
    const isPast = ({ horizon }: UnseenPast): boolean => horizon !== undefined && snapshot.xmin >= horizon;
    const ended = [...this.#commits.filter(({ xid }) => snapshot.isOver(xid)), ...this.#pasts.filter(isPast)];
    if (ended.length === 0) return;
    this.#commits = this.#commits.filter(({ xid }) => !snapshot.isOver(xid));
    this.#pasts = this.#pasts.filter((past) => !isPast(past));
    for (const { end } of ended) end();
  }

  /** Ends all: whoever calls this answers for what is not shown yet. */
  clear(): void {
    const all = [...this.#commits, ...this.#pasts];
    this.#commits = [];
    this.#pasts = [];
    for (const { end } of all) end();
  }
}
