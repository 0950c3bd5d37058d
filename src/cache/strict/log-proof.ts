interface Mark {
  readonly lsn: bigint;
  readonly setMs: number;
}

/** Marks that are waited for: older ones would prove what is too old by then. */
const MARKS_MAX = 32;

/**
 * Up to when everything is known that the log tells. A mark is a place in the log that was behind all commits
 * that anybody had been shown at its time; who has read the log up to there has read them.
 */
export class LogProof {
  #marks: Mark[] = [];
  #reached = 0n;
  #provenMs = -Infinity;

  /** Everything that was shown to anybody at this time has been read. */
  get provenMs(): number {
    return this.#provenMs;
  }

  /** @param setMs a time before the mark was asked for */
  mark(lsn: bigint, setMs: number): void {
    this.#marks.push({ lsn, setMs });
    if (this.#marks.length > MARKS_MAX) this.#marks.shift();
    this.#prove();
  }

  /** The log has been read up to here. */
  reach(lsn: bigint): void {
    if (lsn <= this.#reached) return;
    this.#reached = lsn;
    this.#prove();
  }

  #prove(): void {
    const passed = this.#marks.filter(({ lsn }) => lsn <= this.#reached);
    if (passed.length === 0) return;
    this.#marks = this.#marks.filter(({ lsn }) => lsn > this.#reached);
    for (const { setMs } of passed) this.#provenMs = Math.max(this.#provenMs, setMs);
  }
}
