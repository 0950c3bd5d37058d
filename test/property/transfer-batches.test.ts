import { describe, expect, it } from '@jest/globals';
import { Decimal } from 'decimal.js';
import fc from 'fast-check';
import type { DecidedOutcome } from '../../src/modules/idempotency/decided-outcome.js';
import type { CommandResult } from '../../src/modules/transfers/decisions/batch-decider.js';
import type { TransferCommand } from '../../src/modules/transfers/decisions/transfer-command.js';
import type { TransferView } from '../../src/modules/transfers/transfer-view.js';
import { commandOf, someAccounts, someWish, TransferWorld, type Wish } from './transfer-world.js';

/** Batches of requests, with some time between them. */
const someHistory = fc.array(
  fc.record({
    wishes: fc.array(someWish, { minLength: 1, maxLength: 12, size: 'max' }),
    waitMs: fc.constantFrom(0, 5, 1_500),
  }),
  { minLength: 2, maxLength: 5, size: 'max' },
);

type History = readonly { readonly wishes: readonly Wish[]; readonly waitMs: number }[];

/** Runs a history in batches. @param onBatch sees each, with what came of it */
function play(
  world: TransferWorld,
  history: History,
  onBatch?: (commands: readonly TransferCommand[], results: readonly CommandResult[]) => void,
): void {
  for (const { wishes, waitMs } of history) {
    world.nowMs += waitMs;
    const commands = wishes.map((wish) => commandOf(wish, world));
    const results = world.run(commands);
    onBatch?.(commands, results);
  }
}

/** What came of a request, without ids that a batch draws in another order. */
function gist(result: CommandResult): unknown {
  if (result.kind !== 'answered') return result.kind === 'thrown' ? result.error.code : result.kind;
  const { outcome, replayed } = result.answer;
  if (outcome.kind === 'refused') return [outcome.error.code, replayed];
  return [outcome.status, replayed, { ...outcome.body, id: undefined }];
}

function endOf(outcome: DecidedOutcome<TransferView>): string {
  return outcome.kind === 'done' ? outcome.body.status : outcome.error.code;
}

function sum(amounts: readonly Decimal[]): string {
  return amounts.reduce((total, amount) => total.plus(amount), new Decimal(0)).toFixed(4);
}

function moneyOf(world: TransferWorld, currency: string): string {
  const accounts = [...world.accounts.values()].filter((account) => account.currency === currency);
  return sum(accounts.map(({ balance }) => balance));
}

describe('a batch of requests about transfers', () => {
  it('comes to what the same requests come to one by one, in however many steps it is decided', () => {
    fc.assert(
      fc.property(
        someAccounts,
        someHistory,
        fc.integer({ min: 1, max: 12 }),
        (accounts, history, stepMax) => {
          const together = new TransferWorld(accounts);
          const apart = new TransferWorld(accounts);
          for (const { wishes, waitMs } of history) {
            together.nowMs += waitMs;
            apart.nowMs += waitMs;
            const commands = wishes.map((wish) => commandOf(wish, together));
            const sameCommands = wishes.map((wish) => commandOf(wish, apart));
            const results = together.run(commands, stepMax);
            const sameResults = sameCommands.flatMap((command) => apart.run([command]));
            expect(results.map(gist)).toEqual(sameResults.map(gist));
            expect(together.books).toEqual(apart.books);
          }
        },
      ),
      { numRuns: 300 },
    );
  });

  it('is tried with histories that reach every way in which a request can end', () => {
    const reached = new Set<string>();
    fc.assert(
      fc.property(someAccounts, someHistory, (accounts, history) => {
        play(new TransferWorld(accounts), history, (commands, results) => {
          for (const [place, result] of results.entries()) {
            const end = result.kind === 'answered' ? endOf(result.answer.outcome) : result.kind;
            reached.add(`${commands[place]!.kind} ${end}`);
          }
        });
      }),
      { numRuns: 300 },
    );
    expect([...reached]).toEqual(
      expect.arrayContaining([
        ...['transfer COMPLETED', 'transfer PENDING', 'post COMPLETED', 'void VOIDED', 'expire EXPIRED'],
        ...['transfer insufficient_funds', 'post amount_exceeds_pending', 'post transfer_not_pending'],
        ...['transfer currency_mismatch', 'transfer same_account', 'transfer thrown'],
      ]),
    );
  });

  it('neither makes nor loses money, and leaves no account below its limit', () => {
    fc.assert(
      fc.property(someAccounts, someHistory, (accounts, history) => {
        const world = new TransferWorld(accounts);
        const before = ['EUR', 'USD'].map((currency) => moneyOf(world, currency));
        play(world, history, () => {
          expect(['EUR', 'USD'].map((currency) => moneyOf(world, currency))).toEqual(before);
          for (const { balance, held, overdraftLimit } of world.accounts.values()) {
            expect(balance.minus(held).plus(overdraftLimit).isNegative()).toBe(false);
            expect(held.isNegative()).toBe(false);
          }
        });
      }),
      { numRuns: 300 },
    );
  });

  it('leaves entries that explain every account: chains of balances, and what is held', () => {
    fc.assert(
      fc.property(someAccounts, someHistory, (accounts, history) => {
        const world = new TransferWorld(accounts);
        play(world, history);
        for (const before of accounts) {
          const account = world.accounts.get(before.id)!;
          const entries = [...world.entries.values()]
            .filter(({ accountId }) => accountId === account.id)
            .sort((a, b) => Number(a.accountVersion - b.accountVersion));
          let { balance, updatedAt: latest } = before;
          for (const { status, amount, balanceAfter, executedAt } of entries) {
            if (status !== 'COMPLETED') continue;
            balance = balance.plus(amount);
            expect(balanceAfter?.toFixed(4)).toBe(balance.toFixed(4));
            expect(executedAt.getTime()).toBeGreaterThanOrEqual(latest.getTime());
            latest = executedAt;
          }
          expect(account.balance.toFixed(4)).toBe(balance.toFixed(4));
          const pending = entries.filter(({ status }) => status === 'PENDING');
          expect(account.held.toFixed(4)).toBe(sum(pending.map(({ amount }) => amount.negated())));
          expect(new Set(entries.map(({ accountVersion }) => accountVersion)).size).toBe(entries.length);
        }
      }),
      { numRuns: 300 },
    );
  });

  it('gives every completed transfer a debit and a credit, and no other transfer a credit', () => {
    fc.assert(
      fc.property(someAccounts, someHistory, (accounts, history) => {
        const world = new TransferWorld(accounts);
        play(world, history);
        const entries = [...world.entries.values()];
        for (const transfer of world.transfers.values()) {
          const own = entries.filter(({ transferId }) => transferId === transfer.id);
          const isDone = transfer.status === 'COMPLETED';
          expect(own.map(({ accountId }) => accountId).sort()).toEqual(
            [transfer.fromAccountId, ...(isDone ? [transfer.toAccountId] : [])].sort(),
          );
          if (isDone) expect(sum(own.map(({ amount }) => amount))).toBe('0.0000');
          const debit = world.entries.get(transfer.debitId);
          const statuses = {
            PENDING: 'PENDING',
            COMPLETED: 'COMPLETED',
            VOIDED: 'FAILED',
            EXPIRED: 'FAILED',
          };
          expect(debit?.status).toBe(statuses[transfer.status]);
        }
      }),
      { numRuns: 300 },
    );
  });

  it('answers a key the same way again, without an effect, and refuses it to another request', () => {
    fc.assert(
      fc.property(someAccounts, someHistory, (accounts, history) => {
        const world = new TransferWorld(accounts);
        const asked: { command: TransferCommand; result: CommandResult }[] = [];
        play(world, history, (commands, results) => {
          for (const [place, command] of commands.entries()) {
            const result = results[place]!;
            if (command.idempotency !== undefined && result.kind === 'answered')
              asked.push({ command, result });
          }
        });
        const { books } = world;
        for (const { command, result } of asked) {
          const [again] = world.run([command]);
          if (again?.kind !== 'answered' || result.kind !== 'answered') throw new Error('Not answered.');
          expect(again.answer.replayed).toBe(true);
          expect(again.answer.outcome).toEqual(result.answer.outcome);
          const other: TransferCommand =
            command.kind === 'transfer'
              ? { ...command, reference: 'another' }
              : { ...command, kind: command.kind === 'void' ? 'expire' : 'void' };
          expect(world.run([other])).toMatchObject([
            { kind: 'thrown', error: { code: 'idempotency_key_reused' } },
          ]);
        }
        expect(world.books).toEqual(books);
      }),
      { numRuns: 300 },
    );
  });
});
