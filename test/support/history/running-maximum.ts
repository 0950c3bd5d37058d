/** The greatest value up to a time, of events that are added in any order. */
export class RunningMaximum {
  readonly #events: { atMs: number; value: number; of: string }[] = [];
  #isSorted = true;

  /** @param of what the event is, for people */
  add(atMs: number, value: number, of: string): void {
    this.#events.push({ atMs, value, of });
    this.#isSorted = false;
  }

  /** Of the events before this time; undefined where there is none. */
  before(atMs: number): { readonly value: number; readonly of: string; readonly atMs: number } | undefined {
    this.#sort();
    let low = 0;
    let high = this.#events.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#events[middle]?.atMs ?? Infinity) < atMs) low = middle + 1;
      else high = middle;
    }
    return this.#events[low - 1];
  }

  /** The first event with a greater value. */
  firstAbove(value: number): { readonly atMs: number } | undefined {
    this.#sort();
    let low = 0;
    let high = this.#events.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#events[middle]?.value ?? Infinity) <= value) low = middle + 1;
      else high = middle;
    }
    return this.#events[low];
  }

  /** By time, each with the greatest value so far. */
  #sort(): void {
    if (this.#isSorted) return;
    this.#isSorted = true;
    this.#events.sort((a, b) => a.atMs - b.atMs);
    let greatest = this.#events[0];
    for (const event of this.#events) {
      if (greatest === undefined || event.value >= greatest.value) greatest = { ...event };
      else Object.assign(event, { value: greatest.value, of: greatest.of });
    }
  }
}
