/** Values of a statement's parameters, numbered as they are added. */
export class BoundValues {
  readonly #values: unknown[] = [];

  /** Adds one value. @returns its placeholder, `$1` for the first */
  add(value: unknown): string {
    return `$${this.#values.push(value)}`;
  }

  get list(): readonly unknown[] {
    return this.#values;
  }
}
