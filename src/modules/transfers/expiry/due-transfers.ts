/**
 * When, for each tenant, the next pending transfer is over that this process knows of. It may be wrong on either
 * side: what other processes hold is found by looking, and what was posted meanwhile costs one look.
 */
export class DueTransfers {
  readonly #dueAt = new Map<string, number>();
  readonly #now: () => number;

  constructor(now: () => number = Date.now) {
    this.#now = now;
  }

  /** Notes that something of a tenant may be over in so many seconds. */
  note(tenantId: string, inSeconds: number): void {
    const at = this.#now() + inSeconds * 1_000;
    this.#dueAt.set(tenantId, Math.min(at, this.#dueAt.get(tenantId) ?? Number.POSITIVE_INFINITY));
  }

  /** The tenants of which something is over by now; each is named once per note. */
  takeDue(): string[] {
    const now = this.#now();
    const due = [...this.#dueAt].filter(([, at]) => at <= now).map(([tenantId]) => tenantId);
    for (const tenantId of due) this.#dueAt.delete(tenantId);
    return due;
  }
}
