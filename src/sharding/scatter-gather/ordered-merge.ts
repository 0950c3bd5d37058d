import type { Compare } from './row-order.js';

/** Rows of one shard, in order. */
export type OrderedRows<Row> = AsyncIterable<Row> | Iterable<Row>;

type RowIterator<Row> = AsyncIterator<Row, unknown> | Iterator<Row, unknown>;

/** A source with the row that it offers next. */
interface Head<Row> {
  readonly row: Row;
  readonly iterator: RowIterator<Row>;
  /** Place of the source among the sources; decides between rows of one rank. */
  readonly place: number;
}

/**
 * Merges rows that each source has sorted into one sorted stream. Holds one row per source, whatever their
 * number of rows. Rows of one rank come in the order of the sources, so that the same input gives the same
 * output.
 *
 * When the caller stops early, or a source fails, all sources are closed.
 *
 * @param compare the order that every source has; see `compareRows`
 */
export async function* mergeOrdered<Row>(
  sources: readonly OrderedRows<Row>[],
  compare: Compare<Row>,
): AsyncGenerator<Row, void, undefined> {
  const iterators = sources.map(iteratorOf);
  const heap = new HeadHeap<Row>(compare);
  try {
    const firsts = await Promise.all(iterators.map(async (iterator) => iterator.next()));
    firsts.forEach((first, place) => {
      const iterator = iterators[place];
      if (iterator !== undefined && first.done !== true) heap.push({ row: first.value, iterator, place });
    });
    for (let head = heap.smallest; head !== undefined; head = heap.smallest) {
      yield head.row;
      const pending = head.iterator.next();
      // Not awaited when the source is at hand: a turn of the event loop per row would cost the most.
      const next = 'then' in pending ? await pending : pending;
      if (next.done === true) heap.removeSmallest();
      else heap.replaceSmallest({ ...head, row: next.value });
    }
  } finally {
    await Promise.allSettled(iterators.map(async (iterator) => iterator.return?.()));
  }
}

function iteratorOf<Row>(source: OrderedRows<Row>): RowIterator<Row> {
  return Symbol.asyncIterator in source ? source[Symbol.asyncIterator]() : source[Symbol.iterator]();
}

/** A binary heap of heads, smallest first. */
class HeadHeap<Row> {
  readonly #compare: Compare<Row>;
  readonly #heads: Head<Row>[] = [];

  constructor(compare: Compare<Row>) {
    this.#compare = compare;
  }

  get smallest(): Head<Row> | undefined {
    return this.#heads[0];
  }

  push(head: Head<Row>): void {
    let index = this.#heads.length;
    for (let parent = (index - 1) >> 1; index > 0; parent = (index - 1) >> 1) {
      const above = this.#heads[parent];
      if (above === undefined || !this.#precedes(head, above)) break;
      this.#heads[index] = above;
      index = parent;
    }
    this.#heads[index] = head;
  }

  removeSmallest(): void {
    const last = this.#heads.pop();
    if (last !== undefined && this.#heads.length > 0) this.replaceSmallest(last);
  }

  /** Puts `head` in the place of the smallest and lets it sink to its own. */
  replaceSmallest(head: Head<Row>): void {
    let index = 0;
    for (;;) {
      const leftIndex = 2 * index + 1;
      const left = this.#heads[leftIndex];
      const right = this.#heads[leftIndex + 1];
      const isRight = left !== undefined && right !== undefined && this.#precedes(right, left);
      const child = isRight ? right : left;
      if (child === undefined || !this.#precedes(child, head)) break;
      this.#heads[index] = child;
      index = isRight ? leftIndex + 1 : leftIndex;
    }
    this.#heads[index] = head;
  }

  #precedes(a: Head<Row>, b: Head<Row>): boolean {
    const order = this.#compare(a.row, b.row);
    return order < 0 || (order === 0 && a.place < b.place);
  }
}
