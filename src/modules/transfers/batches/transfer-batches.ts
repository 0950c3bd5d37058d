import { setImmediate } from 'node:timers/promises';
import type { Asker, PrimaryWrites } from '../../../gateway/primary-writes.js';
import { failureOf, type Participant } from '../../../gateway/shared-transaction.js';
import { BatchDecider, type CommandResult } from '../decisions/batch-decider.js';
import type { TransferCommand } from '../decisions/transfer-command.js';
import type { MintId } from '../decisions/working-ledger.js';
import { joinedState, type BatchState } from '../decisions/batch-state.js';
import type { BatchPlace } from './batch-place.js';
import { readBatch, type LockMode } from './batch-reads.js';
import { BatchWriting } from './batch-writing.js';
import type { TransferJob } from './transfer-job.js';

/** How often one request is tried again by itself that another transaction was in the way of. */
const CONFLICTS_MAX = 10;

/**
 * How long a batch waits for an account. Another process's batch is over sooner; what takes longer is slow, and
 * must not hold up everybody else.
 */
const LOCK_TIMEOUT_MS = 250;

/** Requests that are decided before the server is given what they come to; it writes while the next are decided. */
const STEP_MAX = 50;

/** What a batch of several actors is done as; each entry names its own. */
const SEVERAL_ACTORS = 'shardgate:transfers';

/**
 * Runs batches of transfers: lock and read, shard by shard, decide, write and commit on all of them. A batch that a
 * database refuses is tried again in halves, down to one request, so that one's trouble is nobody else's.
 */
export class TransferBatches {
  readonly #primaries: PrimaryWrites;
  readonly #mintId: MintId;
  readonly #shardOf: (tenantId: string, accountId: string) => string;

  constructor(
    primaries: PrimaryWrites,
    mintId: MintId,
    shardOf: (tenantId: string, accountId: string) => string,
  ) {
    this.#primaries = primaries;
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
        return rejectAll(jobs, this.#primaries.writeFailure(place.shardIds[0] ?? '', error));
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
    const parts: Participant[] = [];
    const results: CommandResult[] = [];
    const writing = new BatchWriting(parts, tenantId);
    try {
      const states: BatchState[] = [];
      // One after the other: who has locked on a later shard waits for nobody on an earlier one.
      for (const shardId of shardIds) {
        const transaction = await this.#primaries.beginShared(
          { shardId, tenantId, lockTimeoutMs: LOCK_TIMEOUT_MS },
          actorOf(jobs),
          () => askersOf(jobs, results),
        );
        parts.push({ shardId, transaction });
        states.push(await readBatch(transaction, { shardId, tenantId }, commandsOf(jobs), mode));
      }
      const isHere = (accountId: string): boolean => shardIds.includes(this.#shardOf(tenantId, accountId));
      const decider = new BatchDecider(joinedState(states), { mintId: this.#mintId, isHere });
      for (let next = 0; next < jobs.length; next += STEP_MAX) {
        // What was sent leaves now, and the server works on it while the next step is decided.
        if (next > 0) await setImmediate();
        const commands = commandsOf(jobs.slice(next, next + STEP_MAX));
        const isLast = next + STEP_MAX >= jobs.length;
        const step = isLast ? decider.decideLast(commands) : decider.decideSome(commands);
        results.push(...step.results);
        writing.send(step);
      }
    } catch (error) {
      await Promise.all(parts.map(({ transaction }) => transaction.rollback()));
      throw error;
    }
    await writing.commit(this.#primaries);
    return tellAll(jobs, results);
  }
}

function commandsOf(jobs: readonly TransferJob[]): TransferCommand[] {
  return jobs.map(({ command }) => command);
}

function actorOf(jobs: readonly TransferJob[]): string {
  const actors = new Set(jobs.map(({ command }) => command.actor));
  const [actor = SEVERAL_ACTORS] = actors;
  return actors.size === 1 ? actor : SEVERAL_ACTORS;
}

function askersOf(jobs: readonly TransferJob[], results: readonly CommandResult[]): Asker[] {
  return jobs.map(({ scope, trace }, place) => {
    const result = results[place];
    return { scope, trace, userIds: result?.kind === 'answered' ? result.userIds : [] };
  });
}

/** @returns those that are to be tried again */
function tellAll(jobs: readonly TransferJob[], results: readonly CommandResult[]): TransferJob[] {
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
