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
