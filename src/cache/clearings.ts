/**
 * Up to which fill everything, or all of a tenant's, was cleared. What was asked for before that is neither
 * kept nor joined: who clears the cache knows of a change that the cache does not.
 */
export class Clearings {
  #ofAll = 0;
  readonly #ofTenants = new Map<string, number>();

  /** Covers a tenant's fills, or all, up to this one. */
  add(tenantId: string | undefined, fill: number): void {
    if (tenantId !== undefined) {
      this.#ofTenants.set(tenantId, fill);
      return;
    }
    this.#ofAll = fill;
    this.#ofTenants.clear();
  }

  /** Whether a tenant's fill began before the latest clearing. */
  cover(tenantId: string, fill: number): boolean {
    return fill <= this.#ofAll || fill <= (this.#ofTenants.get(tenantId) ?? 0);
  }
}
