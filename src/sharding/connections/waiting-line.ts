/** Who waits for a thing that others have, and until when. */
interface Waiter<Thing> {
  readonly resolve: (thing: Thing) => void;
  readonly reject: (reason: unknown) => void;
  /** By the clock of `performance`. */
  readonly deadlineMs: number;
}

/**
 * Who waits, first come, first served, all equally long at most. Waiting is a point read's common case under
 * load, so it costs one entry here: one clock for the whole line, and no promise but the waiter's own.
 */
export class WaitingLine<Thing> {
  readonly #patienceMs: number;
  readonly #outOfPatience: () => Error;
  #line: Waiter<Thing>[] = [];
  #first = 0;
  #clock: NodeJS.Timeout | undefined;

  /** @param outOfPatience makes what somebody is told who waited `patienceMs` in vain */
  constructor(patienceMs: number, outOfPatience: () => Error) {
    this.#patienceMs = patienceMs;
    this.#outOfPatience = outOfPatience;
  }

  get length(): number {
    return this.#line.length - this.#first;
  }

  /** Waits to be served. */
  wait(): Promise<Thing> {
    return new Promise((resolve, reject) => {
      this.#line.push({ resolve, reject, deadlineMs: performance.now() + this.#patienceMs });
      this.#clock ??= this.#clockOf(this.#patienceMs);
    });
  }

  /** Gives a thing to who waits longest. @returns false when nobody waits */
  serve(thing: Thing): boolean {
    const waiter = this.#next();
    waiter?.resolve(thing);
    return waiter !== undefined;
  }

  /** Lets who waits longest have what is still to come. @returns false when nobody waits */
  serveLater(thing: () => Promise<Thing>): boolean {
    const waiter = this.#next();
    if (waiter !== undefined) thing().then(waiter.resolve, waiter.reject);
    return waiter !== undefined;
  }

  /** Tells everybody that it is of no use. */
  rejectAll(reason: Error): void {
    for (let waiter = this.#next(); waiter !== undefined; waiter = this.#next()) waiter.reject(reason);
  }

  #next(): Waiter<Thing> | undefined {
    const waiter = this.#line[this.#first];
    if (waiter === undefined) return undefined;
    this.#first += 1;
    // Those served are dropped together: a new array does not lead from the old one to later waiters.
    if (this.#first * 2 >= this.#line.length) {
      this.#line = this.#line.slice(this.#first);
      this.#first = 0;
    }
    if (this.length === 0) {
      clearTimeout(this.#clock);
      this.#clock = undefined;
    }
    return waiter;
  }

  #clockOf(ms: number): NodeJS.Timeout {
    // Nobody's wait alone keeps a command-line program from its end.
    return setTimeout(() => {
      this.#rejectOverdue();
    }, ms).unref();
  }

  #rejectOverdue(): void {
    this.#clock = undefined;
    const now = performance.now();
    for (let first = this.#line[this.#first]; first !== undefined; first = this.#line[this.#first]) {
      if (first.deadlineMs > now) {
        this.#clock = this.#clockOf(Math.ceil(first.deadlineMs - now));
        return;
      }
      this.#next()?.reject(this.#outOfPatience());
    }
  }
}
