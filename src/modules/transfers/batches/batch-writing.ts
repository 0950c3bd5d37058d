import { GatewayError } from '../../../common/gateway-error.js';
import type { PrimaryWrites } from '../../../gateway/primary-writes.js';
import type { Participant } from '../../../gateway/shared-transaction.js';
import type { BatchStep } from '../decisions/batch-decider.js';
import { writeBatch } from './batch-writes.js';

/** What a batch writes on its shards, step by step, until it is committed on all of them. */
export class BatchWriting {
  readonly #parts: readonly Participant[];
  readonly #tenantId: string;
  readonly #written = new Set<string>();
  readonly #underWay: Promise<PromiseSettledResult<void>>[] = [];

  /** @param parts the batch's transactions, in the order of their shards; there may come more until it is committed */
  constructor(parts: readonly Participant[], tenantId: string) {
    this.#parts = parts;
    this.#tenantId = tenantId;
  }

  /** Sends what a step comes to, with what else is sent in this turn. It never throws. */
  send({ writes }: BatchStep): void {
    for (const { shardId, transaction } of this.#parts) {
      const rows = writes.get(shardId);
      if (rows === undefined) continue;
      this.#written.add(shardId);
      this.#underWay.push(settled(writeBatch(transaction, this.#tenantId, rows)));
    }
  }

  /**
   * Commits, behind what is under way. What only was read is committed by itself: its position says up to where it
   * was read.
   *
   * @throws what it failed with; where nobody but a database said so, the first thing that failed
   */
  async commit(primaries: PrimaryWrites): Promise<void> {
    const isWritten = ({ shardId }: Participant): boolean => this.#written.has(shardId);
    const committing = [
      this.#parts.filter(isWritten),
      ...this.#parts.filter((part) => !isWritten(part)).map((part) => [part]),
    ].map((together) => settled(primaries.commitTogether(together)));
    const results = await Promise.all([...this.#underWay, ...committing]);
    const failures = results.flatMap((result) =>
      result.status === 'rejected' ? [result.reason as unknown] : [],
    );
    if (failures.length === 0) return;
    throw failures.find((failure) => failure instanceof GatewayError) ?? failures[0];
  }
}

/** Its failure is looked at later. */
async function settled(work: Promise<void>): Promise<PromiseSettledResult<void>> {
  const [result] = await Promise.allSettled([work]);
  return result;
}
