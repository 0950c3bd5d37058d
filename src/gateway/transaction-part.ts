import type { EntityManager } from 'typeorm';
import { ScopeConflictError } from '../common/gateway-error.js';
import { TenantQueryRunner } from '../sharding/connections/tenant-query-runner.js';
import type { Participant } from '../sharding/transactions/commit-coordinator.js';

/**
 * One shard's part of a transaction over several, as TypeORM works in it. Its statements wait for locks for a few
 * seconds only: two that wait for each other through two servers are seen by neither of them.
 */
export class TransactionPart {
  readonly shardId: string;
  /** TypeORM's manager of this part, held to the tenant. */
  readonly manager: EntityManager;
  readonly #runner: TenantQueryRunner;

  private constructor(shardId: string, manager: EntityManager, runner: TenantQueryRunner) {
    this.shardId = shardId;
    this.manager = manager;
    this.#runner = runner;
  }

  /** Begins it. @param manager of a session whose statements nobody else sends */
  static async begin(shardId: string, manager: EntityManager): Promise<TransactionPart> {
    const runner = manager.queryRunner;
    if (!(runner instanceof TenantQueryRunner)) throw new TypeError('The manager is no session of a tenant.');
    await runner.startTransaction();
    return new TransactionPart(shardId, manager, runner);
  }

  /** Whether its connection was lost. */
  get isLost(): boolean {
    return this.#runner.isBroken;
  }

  /** @throws ScopeConflictError while a nested transaction is open in it */
  assertWhole(): void {
    if (this.#runner.isTransactionActive && !this.#runner.isNested) return;
    throw new ScopeConflictError('A nested transaction is still open; await it before the transaction ends.');
  }

  /** Hands it over to be committed with others; nothing may use it any more. */
  handOver(): Participant {
    return { shardId: this.shardId, transaction: this.#runner.handOver() };
  }

  /** Undoes it, if it was not handed over. Never rejects. */
  async undo(): Promise<void> {
    if (this.#runner.isTransactionActive) await this.#runner.rollbackTransaction().catch(() => undefined);
    // What a savepoint has left open ends with its connection.
    await this.#runner.release();
  }
}
