import type { Account } from '../../accounts/account.js';
import type { RememberedRequest } from '../../idempotency/idempotency-keys.js';
import type { Transfer } from '../transfer.js';

/** A user's account, locked, and where. */
export interface LockedAccount extends Pick<
  Account,
  'id' | 'userId' | 'bucket' | 'currency' | 'status' | 'balance' | 'held' | 'overdraftLimit' | 'updatedAt'
> {
  readonly shardId: string;
  readonly version: bigint;
}

/** A transfer's row. */
export type TransferRow = Omit<Transfer, 'tenantId'>;

/** What a batch is decided on: everything was read behind the locks. */
export interface BatchState {
  /** By id. What is neither here nor in `busy` does not exist. */
  readonly accounts: ReadonlyMap<string, LockedAccount>;
  /** Accounts that somebody else holds: what is about them is left for later. */
  readonly busy: ReadonlySet<string>;
  /** Those that are to be resolved, by id. */
  readonly transfers: ReadonlyMap<string, TransferRow>;
  /** Transfers of which it cannot be said yet whether there are any: what is about them is left for later. */
  readonly unsettled: ReadonlySet<string>;
  /** What the key of a request is remembered with, by the request's place in the batch. */
  readonly remembered: ReadonlyMap<number, RememberedRequest>;
  /** In whole milliseconds, read behind the locks. */
  readonly now: Date;
}

/** What was read on several shards, as one: the clock is the latest of theirs. */
export function joinedState(states: readonly BatchState[]): BatchState {
  return {
    accounts: new Map(states.flatMap(({ accounts }) => [...accounts])),
    busy: new Set(states.flatMap(({ busy }) => [...busy])),
    transfers: new Map(states.flatMap(({ transfers }) => [...transfers])),
    unsettled: new Set(states.flatMap(({ unsettled }) => [...unsettled])),
    remembered: new Map(states.flatMap(({ remembered }) => [...remembered])),
    now: new Date(Math.max(...states.map(({ now }) => now.getTime()))),
  };
}
