import type { Decimal } from 'decimal.js';
import type { LedgerTransaction } from '../../accounts/ledger/ledger-transaction.js';
import type { StoredOutcome } from '../../idempotency/decided-outcome.js';
import type { RequestFields } from '../../idempotency/request-difference.js';
import type { TransferRow } from './batch-state.js';

/** What an account comes to. */
export interface AccountWrite {
  readonly id: string;
  readonly balance: Decimal;
  readonly held: Decimal;
  readonly version: bigint;
  readonly updatedAt: Date;
}

/** A transfer's entry; its id joins the entries, too. */
export interface EntryRow extends Omit<
  LedgerTransaction,
  'tenantId' | 'type' | 'accountVersion' | 'postingId' | 'transferId'
> {
  readonly accountVersion: bigint;
  readonly transferId: string;
}

/** A key with its request and outcome. */
export interface KeyWrite extends StoredOutcome {
  readonly userId: string;
  readonly key: string;
  readonly bucket: number;
  readonly operation: string;
  readonly request: RequestFields;
}

/** What a batch, or a step of it, changes on one shard. Each row is there once, as it is in the end. */
export interface ShardWrites {
  readonly accounts: readonly AccountWrite[];
  readonly newTransfers: readonly TransferRow[];
  readonly resolvedTransfers: readonly TransferRow[];
  readonly newEntries: readonly EntryRow[];
  readonly resolvedEntries: readonly EntryRow[];
  /** In the order of owner and key, so that two steps insert theirs in one order. */
  readonly keys: readonly KeyWrite[];
}
