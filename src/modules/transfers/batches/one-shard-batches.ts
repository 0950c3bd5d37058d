import type { Asker, ShardAccess } from '../../../gateway/shard-access.js';
import { failureOf, type TenantTransaction } from '../../../gateway/shared-transaction.js';
import { decideBatch, type BatchDecision } from '../decisions/decide-batch.js';
import type { MintId } from '../decisions/working-ledger.js';
import { readBatch, type BatchPlace, type LockMode } from './batch-reads.js';
import { writeBatch } from './batch-writes.js';
import type { TransferJob } from './transfer-job.js';

/** How often one request is tried again by itself that another transaction was in the way of. */
const CONFLICTS_MAX = 10;

/** What a batch of several actors is done as; each entry names its own. */
const SEVERAL_ACTORS = 'shardgate:transfers';

/**
 * Runs batches of transfers whose accounts are on one shard: lock and read, decide, write and commit. A batch that
 * the database refuses is tried again in halves, down to one request, so that one's trouble is nobody else's.
 */
export class OneShardBatches {
  readonly #access: ShardAccess;
  readonly #mintId: MintId;
  readonly #isOnShard: (place: BatchPlace, accountId: string) => boolean;

  constructor(
    access: ShardAccess,
    mintId: MintId,
    isOnShard: (place: BatchPlace, accountId: string) => boolean,
  ) {
    this.#access = access;
    this.#mintId = mintId;
    this.#isOnShard = isOnShard;
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
        return rejectAll(jobs, this.#access.writeFailure(place.shardId, error));
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
    let decision: BatchDecision | undefined;
    const askers = (): Asker[] => askersOf(jobs, decision);
    const tx = await this.#access.beginShared(place, actorOf(jobs), askers);
    try {
      const commands = jobs.map(({ command }) => command);
      const state = await readBatch(tx, place, commands, mode);
      const isHere = (accountId: string): boolean => this.#isOnShard(place, accountId);
      decision = decideBatch(commands, state, { mintId: this.#mintId, isHere });
    } catch (error) {
      await tx.rollback();
      throw error;
    }
    await this.#commit(tx, place, decision);
    return tellAll(jobs, decision);
  }

  /** Sends what is to be written and COMMIT at once. @throws what the first of them failed with */
  async #commit(tx: TenantTransaction, { shardId, tenantId }: BatchPlace, { writes }: BatchDecision) {
    const onShard = writes.get(shardId);
    const [written, committed] = await Promise.allSettled([
      onShard && writeBatch(tx, tenantId, onShard),
      tx.commit(),
    ]);
    if (written.status === 'rejected') throw written.reason;
    if (committed.status === 'rejected') throw committed.reason;
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
    else job.resolve(result);
    return false;
  });
}

function rejectAll(jobs: readonly TransferJob[], error: unknown): readonly TransferJob[] {
  for (const { reject } of jobs) reject(error);
  return [];
}
