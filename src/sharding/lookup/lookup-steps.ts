type LookupAction = 'claim' | 'create' | 'record' | 'confirm' | 'release' | 'abandon' | 'take-over';

/**
 * A place between two actions of the protocol. A process can die at any of them, and tests let it:
 *
 * `claim` the value · `create` the row, within which `record` its outcome · `confirm` or `release` the
 * claim · `abandon` (write a tombstone for) somebody else's claim · `take-over` that claim.
 */
export type LookupStep = `${'before' | 'after'}-${LookupAction}`;

/** Hears of each step; the protocol goes on when what it returns has resolved. */
export type LookupStepListener = (step: LookupStep) => void | Promise<void>;

/** Tells a listener of each action's begin and end, so that faults can be placed exactly there. */
export class LookupSteps {
  readonly #listener: LookupStepListener | undefined;

  constructor(listener: LookupStepListener | undefined) {
    this.#listener = listener;
  }

  /** Runs one action between its two steps; an action that fails has no second one. */
  async around<T>(action: LookupAction, run: () => Promise<T>): Promise<T> {
    if (this.#listener === undefined) return run();
    await this.#listener(`before-${action}`);
    const answer = await run();
    await this.#listener(`after-${action}`);
    return answer;
  }
}
