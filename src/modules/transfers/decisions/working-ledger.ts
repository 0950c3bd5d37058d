import type { Decimal } from 'decimal.js';
import { sumOf } from '../../money/amount.js';
import type { TransferStatus } from '../transfer.js';
import type { BatchState, LockedAccount, TransferRow } from './batch-state.js';
import type { AccountWrite, EntryRow, KeyWrite, ShardWrites } from './shard-writes.js';

/** Makes an id of a bucket. */
export type MintId = (bucket: number) => string;

/** A pending transfer that comes to its end. */
interface Resolution {
  readonly status: Exclude<TransferStatus, 'PENDING'>;
  readonly postedAmount: Decimal | null;
}

interface OneShard {
  readonly accounts: Map<string, AccountWrite>;
  readonly newTransfers: TransferRow[];
  readonly resolvedTransfers: TransferRow[];
  readonly newEntries: EntryRow[];
  readonly resolvedEntries: EntryRow[];
  readonly keys: KeyWrite[];
}

/**
 * The ledger as far as a batch has come: what its requests have done is seen by those behind them. It does what it
 * is told, and leaves to others whether that may be.
 */
export class WorkingLedger {
  readonly #now: Date;
  readonly #mintId: MintId;
  readonly #accounts: Map<string, LockedAccount>;
  readonly #transfers: Map<string, TransferRow>;
  readonly #shards = new Map<string, OneShard>();

  constructor({ now, accounts, transfers }: BatchState, mintId: MintId) {
    this.#now = now;
    this.#mintId = mintId;
    this.#accounts = new Map(accounts);
    this.#transfers = new Map(transfers);
  }

  /** The account as it is by now. */
  account(id: string): LockedAccount | undefined {
    return this.#accounts.get(id);
  }

  /** The transfer as it is by now. */
  transfer(id: string): TransferRow | undefined {
    return this.#transfers.get(id);
  }

  /** When something happens to these accounts: never before what happened to them last, whatever clocks say. */
  instantFor(...accounts: readonly LockedAccount[]): Date {
    return new Date(Math.max(this.#now.getTime(), ...accounts.map(({ updatedAt }) => updatedAt.getTime())));
  }

  /** Moves an amount, as a transfer of its own. */
  move(from: LockedAccount, to: LockedAccount, asked: Pick<TransferRow, 'amount' | 'reference' | 'actor'>) {
    const at = this.instantFor(from, to);
    const { amount, actor } = asked;
    const transfer = this.#begin(from, to, asked, {
      status: 'COMPLETED',
      postedAmount: amount,
      createdAt: at,
      expiresAt: null,
      completedAt: at,
    });
    const paid = this.#change(from, at, { balance: amount.negated() });
    this.#newEntry(paid, transfer, { id: transfer.debitId, amount: amount.negated(), actor, executedAt: at });
    this.#credit(to, transfer, { amount, actor, executedAt: at });
    return transfer;
  }

  /** Holds an amount, to be moved before an instant or not at all. */
  hold(
    from: LockedAccount,
    to: LockedAccount,
    asked: Pick<TransferRow, 'amount' | 'reference' | 'actor'>,
    holdSeconds: number,
  ): TransferRow {
    const at = this.instantFor(from);
    const { amount, actor } = asked;
    const transfer = this.#begin(from, to, asked, {
      status: 'PENDING',
      postedAmount: null,
      createdAt: at,
      expiresAt: new Date(at.getTime() + holdSeconds * 1_000),
      completedAt: null,
    });
    const holding = this.#change(from, at, { held: amount });
    this.#newEntry(holding, transfer, {
      id: transfer.debitId,
      amount: amount.negated(),
      actor,
      executedAt: at,
      isPending: true,
    });
    return transfer;
  }

  /** Moves what a pending transfer holds, or part of it, and releases the rest. @param actor of the credit */
  post(
    transfer: TransferRow,
    from: LockedAccount,
    to: LockedAccount,
    { amount, actor }: { readonly amount: Decimal; readonly actor: string },
  ): TransferRow {
    const at = this.instantFor(from, to);
    const paid = this.#change(from, at, { balance: amount.negated(), held: transfer.amount.negated() });
    const posted = this.#resolve(transfer, paid, at, { status: 'COMPLETED', postedAmount: amount });
    this.#credit(to, transfer, { amount, actor, executedAt: at });
    return posted;
  }

  /** Releases what a pending transfer holds. */
  release(transfer: TransferRow, from: LockedAccount, status: 'VOIDED' | 'EXPIRED'): TransferRow {
    const at = this.instantFor(from);
    const freed = this.#change(from, at, { held: transfer.amount.negated() });
    return this.#resolve(transfer, freed, at, { status, postedAmount: null });
  }

  /** Keeps a key with its outcome. */
  remember(shardId: string, key: KeyWrite): void {
    this.#on(shardId).keys.push(key);
  }

  /** What was done since it was taken last, by shard, but for the accounts, which wait for {@link takeAll}. */
  takeRows(): Map<string, ShardWrites> {
    return this.#take(() => []);
  }

  /** What was done since it was taken last, by shard, and all accounts as they are in the end. */
  takeAll(): Map<string, ShardWrites> {
    return this.#take(({ accounts }) => [...accounts.values()]);
  }

  #take(accountsOf: (shard: OneShard) => AccountWrite[]): Map<string, ShardWrites> {
    const taken = new Map<string, ShardWrites>();
    for (const [shardId, { accounts: changed, ...rows }] of this.#shards) {
      this.#shards.set(shardId, { ...noRows(), accounts: changed });
      const accounts = accountsOf({ accounts: changed, ...rows });
      // A step may do nothing on a shard that one before it wrote to.
      const isSome = [accounts, ...Object.values(rows)].some((some) => some.length > 0);
      if (isSome) taken.set(shardId, { ...rows, accounts, keys: rows.keys.sort(byOwnerAndKey) });
    }
    return taken;
  }

  #begin(
    from: LockedAccount,
    to: LockedAccount,
    asked: Pick<TransferRow, 'amount' | 'reference' | 'actor'>,
    state: Pick<TransferRow, 'status' | 'postedAmount' | 'createdAt' | 'expiresAt' | 'completedAt'>,
  ): TransferRow {
    const { userId, bucket, currency } = from;
    const transfer = {
      id: this.#mintId(bucket),
      userId,
      bucket,
      fromAccountId: from.id,
      toAccountId: to.id,
      debitId: this.#mintId(bucket),
      amount: asked.amount,
      currency,
      reference: asked.reference,
      actor: asked.actor,
      ...state,
    };
    // Nobody knows its id yet: no request of this batch can be about it.
    this.#on(from.shardId).newTransfers.push(transfer);
    return transfer;
  }

  /** Changes what an account has and holds, as one version of it. */
  #change(
    account: LockedAccount,
    updatedAt: Date,
    { balance, held }: { readonly balance?: Decimal; readonly held?: Decimal },
  ): LockedAccount {
    const changed: LockedAccount = {
      ...account,
      balance: balance === undefined ? account.balance : sumOf(account.balance, balance),
      held: held === undefined ? account.held : sumOf(account.held, held),
      version: account.version + 1n,
      updatedAt,
    };
    this.#accounts.set(account.id, changed);
    this.#on(account.shardId).accounts.set(account.id, changed);
    return changed;
  }

  #credit(
    to: LockedAccount,
    transfer: TransferRow,
    { amount, actor, executedAt }: { amount: Decimal; actor: string; executedAt: Date },
  ): void {
    const received = this.#change(to, executedAt, { balance: amount });
    this.#newEntry(received, transfer, { id: this.#mintId(to.bucket), amount, actor, executedAt });
  }

  #newEntry(
    { id: accountId, userId, bucket, balance, version, shardId }: LockedAccount,
    { id: transferId, reference }: TransferRow,
    {
      id,
      amount,
      actor,
      executedAt,
      isPending = false,
    }: Pick<EntryRow, 'id' | 'amount' | 'actor' | 'executedAt'> & { readonly isPending?: boolean },
  ): void {
    this.#on(shardId).newEntries.push({
      id,
      userId,
      bucket,
      accountId,
      transferId,
      status: isPending ? 'PENDING' : 'COMPLETED',
      amount,
      balanceAfter: isPending ? null : balance,
      accountVersion: version,
      reference,
      actor,
      executedAt,
    });
  }

  /** @param account as it is afterwards */
  #resolve(
    transfer: TransferRow,
    account: LockedAccount,
    at: Date,
    { status, postedAmount }: Resolution,
  ): TransferRow {
    const isPosted = postedAmount !== null;
    const end = { status, postedAmount, completedAt: isPosted ? at : null };
    const entryEnd = {
      status: isPosted ? ('COMPLETED' as const) : ('FAILED' as const),
      amount: (postedAmount ?? transfer.amount).negated(),
      balanceAfter: isPosted ? account.balance : null,
      accountVersion: account.version,
      executedAt: at,
    };
    const resolved = { ...transfer, ...end };
    this.#transfers.set(transfer.id, resolved);
    const shard = this.#on(account.shardId);
    shard.resolvedTransfers.push(resolved);
    const { debitId: id, id: transferId, reference, actor } = transfer;
    const { userId, bucket, id: accountId } = account;
    shard.resolvedEntries.push({ id, transferId, reference, actor, userId, bucket, accountId, ...entryEnd });
    return resolved;
  }

  #on(shardId: string): OneShard {
    let shard = this.#shards.get(shardId);
    if (shard === undefined) {
      shard = { ...noRows(), accounts: new Map() };
      this.#shards.set(shardId, shard);
    }
    return shard;
  }
}

function noRows(): Omit<OneShard, 'accounts'> {
  return { newTransfers: [], resolvedTransfers: [], newEntries: [], resolvedEntries: [], keys: [] };
}

function byOwnerAndKey(a: KeyWrite, b: KeyWrite): number {
  return compareTexts(a.userId, b.userId) || compareTexts(a.key, b.key);
}

function compareTexts(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
