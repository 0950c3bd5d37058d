/** A gate that stays shut until it is opened. */
export class Gate {
  readonly opened: Promise<void>;
  readonly reached: Promise<void>;
  #open!: () => void;
  #reach!: () => void;

  constructor() {
    this.opened = new Promise((resolve) => (this.#open = resolve));
    this.reached = new Promise((resolve) => (this.#reach = resolve));
  }

  open(): void {
    this.#open();
  }

  /** Says that somebody stands before the gate, and waits with them. */
  async pass(): Promise<void> {
    this.#reach();
    await this.opened;
  }
}
