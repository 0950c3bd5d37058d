import { setTimeout as delay } from 'node:timers/promises';
import { GatewayContext, type ShardedRepository } from '../../../src/index.js';
import type { Account } from '../../../src/modules/accounts/account.js';
import type { BenchAccount } from '../../bank/bench-account.js';
import { randomIndices } from '../../harness/random-indices.js';
import { WrongAnswerError } from '../../harness/wrong-answer.js';
import { SCOPE } from './scope.js';

/** An account that is written, and how far. Its version says which write a reader sees. */
export interface WrittenAccount {
  readonly account: BenchAccount;
  /** Of the latest write that was sent. */
  sent: number;
  /** Of the latest write that was acknowledged. */
  acknowledged: number;
}

/** Writers at once, and how often each writes. */
interface StormRate {
  readonly writers: number;
  readonly everyMs: number;
}

/** Keeps writing to accounts, at random and at a steady rate, for as long as anybody reads. */
export class WriteStorm {
  readonly accounts: readonly WrittenAccount[];
  readonly #repository: ShardedRepository<Account>;
  readonly #rate: StormRate;
  #readers = 0;
  #writers: Promise<unknown> = Promise.resolve();
  #writes = 0;
  #durationMs = 0;
  #startedAt = 0;

  constructor(accounts: readonly BenchAccount[], repository: ShardedRepository<Account>, rate: StormRate) {
    this.accounts = accounts.map((account) => ({ account, sent: 1, acknowledged: 1 }));
    this.#repository = repository;
    this.#rate = rate;
  }

  /** Writes that were acknowledged per second, over all the time in which somebody read. */
  get writesPerSecond(): number {
    return this.#durationMs === 0 ? 0 : Math.round((this.#writes / this.#durationMs) * 1000);
  }

  /** Begins with the versions that the accounts have. */
  async begin(): Promise<void> {
    await GatewayContext.run(SCOPE, async () => {
      for (const written of this.accounts) {
        const row = await this.#repository.findById(written.account.id, { from: 'primary' });
        written.sent = written.acknowledged = Number(row?.version);
      }
    });
  }

  /** Lets a caller read amid the writes. @throws what a write threw, to the last of the callers */
  async around(loop: () => Promise<void>): Promise<void> {
    this.#readers += 1;
    if (this.#readers === 1) this.#start();
    try {
      await loop();
    } finally {
      this.#readers -= 1;
      if (this.#readers === 0) await this.#stopped();
    }
  }

  /**
   * Reads an account and looks at its version.
   *
   * @throws WrongAnswerError when it is older than the latest write that had been acknowledged before
   */
  async check(written: WrittenAccount, read: (id: string) => Promise<Account | null>): Promise<void> {
    const least = written.acknowledged;
    const row = await read(written.account.id);
    const version = Number(row?.version);
    if (written.account.isThis(row) && version >= least && version <= written.sent) return;
    throw new WrongAnswerError(
      `version ${version} of an account whose version ${least} was acknowledged before`,
    );
  }

  #start(): void {
    this.#startedAt = performance.now();
    const writers = Array.from({ length: this.#rate.writers }, (_, writer) =>
      GatewayContext.run(SCOPE, () => this.#writeOn(writer)),
    );
    this.#writers = Promise.all(writers);
    // Whoever reads last is told; until then it is not an error that nobody looks at.
    this.#writers.catch(() => undefined);
  }

  async #stopped(): Promise<void> {
    await this.#writers;
    this.#durationMs += performance.now() - this.#startedAt;
  }

  /** Each writer has accounts of its own, so that the order of an account's writes is known. */
  async #writeOn(writer: number): Promise<void> {
    const { writers, everyMs } = this.#rate;
    const own = this.accounts.filter((_, index) => index % writers === writer);
    const next = randomIndices(writer, own.length);
    for (let dueAt = performance.now(); this.#readers > 0; dueAt += everyMs) {
      const written = own[next()];
      if (written !== undefined) await this.#write(written);
      await delay(Math.max(0, dueAt + everyMs - performance.now()));
    }
  }

  async #write(written: WrittenAccount): Promise<void> {
    const { id, userId } = written.account;
    written.sent += 1;
    const version = written.sent;
    await this.#repository.forUser(userId).update({ id }, { version: String(version) });
    written.acknowledged = version;
    this.#writes += 1;
  }
}
