const XIDS = 2n ** 32n;
const HALF = XIDS / 2n;

/** Which transactions of a server were over at one moment. What has committed and is over is shown to everybody. */
export class ServerSnapshot {
  /** The lowest transaction that was not over. */
  readonly xmin: bigint;
  readonly #xmax: bigint;
  readonly #inProgress: ReadonlySet<bigint>;

  private constructor(xmin: bigint, xmax: bigint, inProgress: ReadonlySet<bigint>) {
    this.xmin = xmin;
    this.#xmax = xmax;
    this.#inProgress = inProgress;
  }

  /** Reads the text of a `pg_snapshot`: `xmin:xmax:` and those in between that are not over. */
  static parse(text: string): ServerSnapshot {
    const [xmin = '', xmax = '', list = ''] = text.split(':');
    const inProgress = list === '' ? [] : list.split(',').map(BigInt);
    return new ServerSnapshot(BigInt(xmin), BigInt(xmax), new Set(inProgress));
  }

  /** @param xid its 32 bits, as replication tells them; it is taken for the nearest such transaction */
  isOver(xid: number): boolean {
    const full = this.#nearest(BigInt(xid));
    return full < this.#xmax && !this.#inProgress.has(full);
  }

  #nearest(xid: bigint): bigint {
    const full = this.#xmax - (this.#xmax % XIDS) + xid;
    if (full - this.#xmax > HALF) return full - XIDS;
    return this.#xmax - full > HALF ? full + XIDS : full;
  }
}
