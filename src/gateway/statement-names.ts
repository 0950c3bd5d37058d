import { LRUCache } from 'lru-cache';

/** Texts that keep their names; the least used makes room, and gets another name when it comes again. */
const TEXTS_MAX = 10_000;

/** Short names for the texts of statements. One name never means two texts. */
export class StatementNames {
  readonly #names = new LRUCache<string, string>({ max: TEXTS_MAX });
  #count = 0;

  /** The name of a text; it is not that of any prepared statement either. */
  nameOf(sql: string): string {
    let name = this.#names.get(sql);
    if (name === undefined) {
      this.#count += 1;
      name = `sql ${this.#count}`;
      this.#names.set(sql, name);
    }
    return name;
  }
}
