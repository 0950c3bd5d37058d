import { Decimal } from 'decimal.js';
import { WrongAnswerError } from '../harness/wrong-answer.js';
import type { BenchAccount } from './bench-account.js';
import { TRANSACTIONS_PER_BUSY_ACCOUNT } from './bench-bank.js';

const CENT = new Decimal('0.01');

/** What is looked at of a transaction, in whichever types the subject gives it. */
export interface TransactionFacts {
  readonly accountId: string;
  readonly accountVersion: string | bigint;
  readonly amount: Decimal | string;
}

/** The newest transactions of a busy account, and what every read of them must find. */
export class NewestTransactions {
  readonly account: BenchAccount;
  readonly #limit: number;
  readonly #newestAmount: Decimal;
  readonly #oldestAmount: Decimal;

  /** @param place the account's place among the busy ones, from 0: of two neighbours one pays the other */
  constructor(account: BenchAccount, place: number, limit: number) {
    this.account = account;
    this.#limit = limit;
    this.#newestAmount = amountOf(TRANSACTIONS_PER_BUSY_ACCOUNT, place);
    this.#oldestAmount = amountOf(TRANSACTIONS_PER_BUSY_ACCOUNT - limit + 1, place);
  }

  /**
   * Looks at how many rows there are, whose they are, and at the first and the last one.
   *
   * @throws WrongAnswerError when they are not the newest transactions of this account, newest first
   */
  assert<Row>(rows: readonly Row[], factsOf: (row: Row) => TransactionFacts): void {
    const [first, last] = [rows[0], rows.at(-1)];
    const newest = TRANSACTIONS_PER_BUSY_ACCOUNT;
    const isRight =
      rows.length === this.#limit &&
      first !== undefined &&
      last !== undefined &&
      this.#is(factsOf(first), newest, this.#newestAmount) &&
      this.#is(factsOf(last), newest - this.#limit + 1, this.#oldestAmount) &&
      rows.every((row) => factsOf(row).accountId === this.account.id);
    if (!isRight) throw new WrongAnswerError('not the newest transactions of the account, newest first');
  }

  /** The account's first transaction is its second version. */
  #is({ accountId, accountVersion, amount }: TransactionFacts, nr: number, expected: Decimal): boolean {
    return (
      accountId === this.account.id && String(accountVersion) === String(nr + 1) && expected.equals(amount)
    );
  }
}

/** The amount of the transaction of this number, from 1, as the data were loaded. */
function amountOf(nr: number, place: number): Decimal {
  const cents = CENT.times(Math.floor((nr + 1) / 2));
  return (nr + place + 1) % 2 === 0 ? cents : cents.negated();
}
