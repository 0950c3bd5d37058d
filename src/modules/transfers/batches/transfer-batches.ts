import { GatewayError } from '../../../common/gateway-error.js';
import type { Asker, ShardAccess } from '../../../gateway/shard-access.js';
import { failureOf, type Participant } from '../../../gateway/shared-transaction.js';
import { decideBatch, type BatchDecision } from '../decisions/decide-batch.js';
import type { MintId } from '../decisions/working-ledger.js';
import { joinedState, type BatchState } from '../decisions/batch-state.js';
import type { BatchPlace } from './batch-place.js';
import { readBatch, type LockMode } from './batch-reads.js';
import { writeBatch } from './batch-writes.js';
import type { TransferJob } from './transfer-job.js';

/** How often one request is tried again by itself that another transaction was in the way of. */
const CONFLICTS_MAX = 10;

/**
 * How long a batch waits for an account. Another process's batch is over sooner; what takes longer is slow, and
 * must not hold up everybody else.
 */
const LOCK_TIMEOUT_MS = 250;

/** What a batch of several actors is done as; each entry names its own. */
const SEVERAL_ACTORS = 'shardgate:transfers';

/**
 * Runs batches of transfers: lock and read, shard by shard, decide, write and commit on all of them. A batch that a
 * database refuses is tried again in halves, down to one request, so that one's trouble is nobody else's.
 */
export class TransferBatches {
  readonly #access: ShardAccess;
  readonly #mintId: MintId;
  readonly #shardOf: (tenantId: string, accountId: string) => string;

  constructor(access: ShardAccess, mintId: MintId, shardOf: (tenantId: string, accountId: string) => string) {
    this.#access = access;
    this.#mintId = mintId;
    this.#shardOf = shardOf;
  }

  /**
   * Runs one batch. Everybody who waits is told, but for those that are given back. It never rejects.
   *
   * @returns those whose accounts somebody else holds, nothing of them done
   */
  async run(
    place: BatchPlace,
    jobs: readonly TransferJob[],
    mode: LockMode,
    conflicts = 0,
  ): Promise<readonly TransferJob[]> {
    try {
      return await this.#runOnce(place, jobs, mode);
    } catch (error) {
      const failure = failureOf(error);
      if (failure === 'busy' && mode === 'wait') return this.run(place, jobs, 'skip');
      if (failure === 'lost' || failure === 'refused') {
        return rejectAll(jobs, this.#access.writeFailure(place.shardIds[0] ?? '', error));
      }
      if (jobs.length > 1) {
        const middle = jobs.length >>> 1;
        const first = await this.run(place, jobs.slice(0, middle), mode);
        return [...first, ...(await this.run(place, jobs.slice(middle), mode))];
      }
      if (failure === 'busy') return jobs;
      if (failure === 'conflict' && conflicts < CONFLICTS_MAX) {
        return this.run(place, jobs, mode, conflicts + 1);
      }
      return rejectAll(jobs, error);
    }
  }

  async #runOnce(
    place: BatchPlace,
    jobs: readonly TransferJob[],
    mode: LockMode,
  ): Promise<readonly TransferJob[]> {
    const { tenantId, shardIds } = place;
    const commands = jobs.map(({ command }) => command);
    const parts: Participant[] = [];
    let decision: BatchDecision | undefined;
    const askers = (): Asker[] => askersOf(jobs, decision);
    try {
      const states: BatchState[] = [];
      // One after the other: who has locked on a later shard waits for nobody on an earlier one.
      for (const shardId of shardIds) {
        const transaction = await this.#access.beginShared(
          { shardId, tenantId, lockTimeoutMs: LOCK_TIMEOUT_MS },
          actorOf(jobs),
          askers,
        );
        parts.push({ shardId, transaction });
        states.push(await readBatch(transaction, { shardId, tenantId }, commands, mode));
      }
      const isHere = (accountId: string): boolean => shardIds.includes(this.#shardOf(tenantId, accountId));
      decision = decideBatch(commands, joinedState(states), { mintId: this.#mintId, isHere });
    } catch (error) {
      await Promise.all(parts.map(({ transaction }) => transaction.rollback()));
      throw error;
    }
    await this.#commit(parts, tenantId, decision);
    return tellAll(jobs, decision);
  }

  /**
   * Sends what is to be written and what commits it at once. What only was read is committed by itself: its position
   * says up to where it was read.
   *
   * @throws what it failed with; where nobody but a database said so, the first thing that failed
   */
  async #commit(parts: readonly Participant[], tenantId: string, { writes }: BatchDecision): Promise<void> {
    const written = parts.filter(({ shardId }) => writes.has(shardId));
    const results = await Promise.allSettled([
      ...written.map(({ shardId, transaction }) => writeBatch(transaction, tenantId, writes.get(shardId))),
      this.#access.commitTogether(written),
      ...parts
        .filter(({ shardId }) => !writes.has(shardId))
        .map((part) => this.#access.commitTogether([part])),
    ]);
    const failures = results.flatMap((result) =>
      result.status === 'rejected' ? [result.reason as unknown] : [],
    );
    if (failures.length === 0) return;
    throw failures.find((failure) => failure instanceof GatewayError) ?? failures[0];
  }
}

function actorOf(jobs: readonly TransferJob[]): string {
  const actors = new Set(jobs.map(({ command }) => command.actor));
  const [actor = SEVERAL_ACTORS] = actors;
  return actors.size === 1 ? actor : SEVERAL_ACTORS;
}

function askersOf(jobs: readonly TransferJob[], decision: BatchDecision | undefined): Asker[] {
  return jobs.map(({ scope, trace }, place) => {
    const result = decision?.results[place];
    return { scope, trace, userIds: result?.kind === 'answered' ? result.userIds : [] };
  });
}

/** @returns those that are to be tried again */
function tellAll(jobs: readonly TransferJob[], { results }: BatchDecision): TransferJob[] {
  return jobs.filter((job, place) => {
    const result = results[place];
    if (result === undefined || result.kind === 'busy') return true;
    if (result.kind === 'thrown') job.reject(result.error);
    else {
      if (result.kind === 'answered' && result.answer.replayed) job.trace.restOnOthers();
      job.resolve(result);
    }
    return false;
  });
}

function rejectAll(jobs: readonly TransferJob[], error: unknown): readonly TransferJob[] {
  for (const { reject } of jobs) reject(error);
  return [];
}
