import { Decimal } from 'decimal.js';
import fc from 'fast-check';
import type {
  BatchState,
  LockedAccount,
  TransferRow,
} from '../../src/modules/transfers/decisions/batch-state.js';
import {
  BatchDecider,
  type BatchStep,
  type CommandResult,
} from '../../src/modules/transfers/decisions/batch-decider.js';
import type { EntryRow, KeyWrite } from '../../src/modules/transfers/decisions/shard-writes.js';
import type { TransferCommand } from '../../src/modules/transfers/decisions/transfer-command.js';

const START_MS = Date.parse('2026-01-01T00:00:00.000Z');
const ACCOUNTS = 5;
const MISSING_ID = 'account-missing';

/** The shard of an account here: even ones are on `s0`, odd ones on `s1`. */
function shardOf(accountNumber: number): string {
  return `s${accountNumber % 2}`;
}

/** Everything that two shards keep, as a batch reads and writes it. */
export class TransferWorld {
  readonly accounts = new Map<string, LockedAccount>();
  readonly transfers = new Map<string, TransferRow>();
  readonly entries = new Map<string, EntryRow>();
  readonly keys = new Map<string, KeyWrite>();
  nowMs = START_MS;
  #minted = 0;

  constructor(accounts: readonly LockedAccount[]) {
    for (const account of accounts) this.accounts.set(account.id, account);
  }

  /**
   * Decides commands as one batch, and keeps what it writes.
   *
   * @param stepMax how many are decided in one step
   */
  run(commands: readonly TransferCommand[], stepMax = Infinity): readonly CommandResult[] {
    const decider = this.#decider(commands);
    const results: CommandResult[] = [];
    while (results.length < commands.length) {
      const step = commands.slice(results.length, results.length + stepMax);
      const isLast = results.length + step.length === commands.length;
      const decided = isLast ? decider.decideLast(step) : decider.decideSome(step);
      this.#keep(decided);
      results.push(...decided.results);
    }
    return results;
  }

  #decider(commands: readonly TransferCommand[]): BatchDecider {
    const remembered = commands.map((command) => this.keys.get(this.#keyIdOf(command)));
    const state: BatchState = {
      accounts: new Map(this.accounts),
      busy: new Set(),
      unsettled: new Set(),
      transfers: new Map(this.transfers),
      remembered: new Map([...remembered.entries()].flatMap(([place, row]) => (row ? [[place, row]] : []))),
      now: new Date(this.nowMs),
    };
    const mintId = (): string => `minted-${(this.#minted += 1)}`;
    return new BatchDecider(state, { mintId, isHere: () => true });
  }

  /** In the order in which they were begun, whichever shard they are on. */
  get transfersInOrder(): TransferRow[] {
    const numberOf = ({ id }: TransferRow): number => Number(id.replace('minted-', ''));
    return [...this.transfers.values()].sort((a, b) => numberOf(a) - numberOf(b));
  }

  /** All of it, to be compared. */
  get books(): object {
    const amounts = ({ amount }: { amount: Decimal }): string => amount.toFixed(4);
    return {
      accounts: [...this.accounts.values()].map((account) => ({
        ...account,
        balance: account.balance.toFixed(4),
        held: account.held.toFixed(4),
      })),
      transfers: this.transfersInOrder.map(
        ({ fromAccountId, toAccountId, status, postedAmount, ...transfer }) =>
          `${fromAccountId} ${toAccountId} ${amounts(transfer)} ${status} ${postedAmount?.toFixed(4) ?? ''}`,
      ),
      entries: [...this.entries.values()]
        .map(
          ({ accountId, accountVersion, status, balanceAfter, ...entry }) =>
            `${accountId} ${accountVersion} ${amounts(entry)} ${status} ${balanceAfter?.toFixed(4) ?? ''}`,
        )
        .sort(),
      keys: [...this.keys.keys()].sort(),
    };
  }

  /** As the statement of a batch does it: rows that are to be changed must be there, and pending. */
  #keep({ writes }: BatchStep): void {
    for (const [shardId, shard] of writes) {
      for (const write of shard.accounts) {
        const known = this.accounts.get(write.id);
        if (known?.shardId !== shardId) throw new Error('An account is written on a foreign shard.');
        if (write.version <= known.version) throw new Error('A version goes back.');
        this.accounts.set(write.id, { ...known, ...write });
      }
      for (const transfer of shard.newTransfers) this.transfers.set(transfer.id, transfer);
      for (const transfer of shard.resolvedTransfers) {
        if (this.transfers.get(transfer.id)?.status !== 'PENDING') throw new Error('Resolved twice.');
        this.transfers.set(transfer.id, transfer);
      }
      for (const entry of shard.newEntries) this.entries.set(entry.id, entry);
      for (const entry of shard.resolvedEntries) {
        if (this.entries.get(entry.id)?.status !== 'PENDING') throw new Error('An entry is resolved twice.');
        this.entries.set(entry.id, entry);
      }
      for (const key of shard.keys) {
        const id = `${shardId} ${key.userId} ${key.key}`;
        if (this.keys.has(id)) throw new Error('A key is kept twice.');
        this.keys.set(id, key);
      }
    }
  }

  #keyIdOf(command: TransferCommand): string {
    const payer =
      command.kind === 'transfer'
        ? this.accounts.get(command.fromAccountId)
        : this.transfers.get(command.transferId);
    const owner = command.userId ?? payer?.userId ?? '~none';
    return `${command.homeShardId} ${owner} ${command.idempotency?.key ?? ''}`;
  }
}

/** The second one once in a while. */
function mostly<A, B>(usual: fc.Arbitrary<A>, other: fc.Arbitrary<B>): fc.Arbitrary<A | B> {
  return fc.oneof({ weight: 8, arbitrary: usual }, { weight: 1, arbitrary: other });
}

const amount = fc.integer({ min: 1, max: 1_000_000 }).map((units) => new Decimal(units).div(10_000));

/** Accounts as random as they may be, and sound. */
export const someAccounts: fc.Arbitrary<LockedAccount[]> = fc.tuple(
  ...Array.from({ length: ACCOUNTS }, (_, number) =>
    fc
      .record({
        balance: mostly(
          fc.integer({ min: 2_000_000, max: 9_000_000 }),
          fc.integer({ min: 0, max: 2_000_000 }),
        ),
        overdraft: fc.constantFrom(0, 0, 500_000),
        status: mostly(fc.constant('ACTIVE'), fc.constantFrom('FROZEN', 'CLOSED')),
        currency: mostly(fc.constant('EUR'), fc.constant('USD')),
        lateMs: fc.integer({ min: -50, max: 50 }),
      })
      .map(({ balance, overdraft, status, currency, lateMs }): LockedAccount => ({
        id: `account-${number}`,
        userId: `user-${number % 3}`,
        bucket: number,
        shardId: shardOf(number),
        currency,
        status: status,
        balance: new Decimal(status === 'CLOSED' ? 0 : balance).div(10_000),
        held: new Decimal(0),
        overdraftLimit: new Decimal(overdraft).div(10_000),
        version: 1n,
        updatedAt: new Date(START_MS + lateMs),
      })),
  ),
);

/** What a request is about, before it is known which transfers there are. */
export interface Wish {
  readonly kind: TransferCommand['kind'];
  readonly from: number;
  readonly to: number;
  /** Which of the transfers that there are. */
  readonly which: number;
  readonly amount: Decimal;
  readonly isPart: boolean;
  readonly holdSeconds: number | undefined;
  readonly asUser: boolean;
  readonly key: string | undefined;
}

const anAccount = mostly(fc.integer({ min: 0, max: ACCOUNTS - 1 }), fc.constant(ACCOUNTS));

/** Any request, mostly a sensible one. */
export const someWish: fc.Arbitrary<Wish> = fc.record({
  kind: fc.constantFrom('transfer', 'transfer', 'transfer', 'post', 'void', 'expire'),
  from: anAccount,
  to: anAccount,
  which: fc.nat({ max: 20 }),
  amount,
  isPart: fc.boolean(),
  holdSeconds: fc.constantFrom(undefined, 1, 60, 60),
  asUser: fc.boolean(),
  key: mostly(fc.constant(undefined), fc.constantFrom('a', 'b', 'c')),
});

/** Makes the request, about a transfer that there is where it is about one. */
export function commandOf(wish: Wish, world: TransferWorld): TransferCommand {
  const transfers = world.transfersInOrder;
  const transfer = transfers[wish.which % Math.max(1, transfers.length)];
  const accountId = (number: number): string => (number === ACCOUNTS ? MISSING_ID : `account-${number}`);
  const fromAccountId =
    wish.kind === 'transfer' ? accountId(wish.from) : (transfer?.fromAccountId ?? MISSING_ID);
  const payer = world.accounts.get(fromAccountId);
  const asked = {
    homeShardId: payer?.shardId ?? 's0',
    homeBucket: payer?.bucket ?? 0,
    userId: wish.asUser ? (payer?.userId ?? 'user-0') : undefined,
    actor: 'test',
    idempotency: wish.key === undefined ? undefined : { key: wish.key, requestId: wish.key },
    subMinorUnits: true,
  };
  const transferId = transfer?.id ?? 'transfer-missing';
  switch (wish.kind) {
    case 'transfer': {
      const { amount: wanted, holdSeconds } = wish;
      const toAccountId = accountId(wish.to);
      return {
        ...asked,
        kind: 'transfer',
        fromAccountId,
        toAccountId,
        amount: wanted,
        reference: null,
        holdSeconds,
      };
    }
    case 'post':
      return { ...asked, kind: 'post', transferId, amount: wish.isPart ? wish.amount : null };
    case 'void':
    case 'expire':
      return { ...asked, kind: wish.kind, transferId };
  }
}
