import { setTimeout as sleep } from 'node:timers/promises';
import { GatewayError, ShardUnavailableError } from '../../common/gateway-error.js';
import { settledWithin } from '../../common/settled-within.js';
import type { Log } from '../../common/log.js';
import type { SqlExecutor } from '../../common/sql-executor.js';
import { isConnectionFailure, sqlStateOf } from '../connections/failure.js';
import type { PreparedTransaction } from '../connections/prepared-transaction.js';
import type { TenantTransaction } from '../connections/tenant-transaction.js';
import {
  COMMITTED_POSITION_SQL,
  committedPosition,
  type CommittedRow,
} from '../connections/watched-commit.js';
import { decide, RECORD_COMMIT, type Decision } from './commit-record.js';
import { stepped, type CommitStep, type OnCommitStep } from './commit-steps.js';
import { FinishedRecords } from './finished-records.js';
import { mintGid } from './gid.js';

/** One shard's part of a transaction over several. */
export interface Participant {
  readonly shardId: string;
  /** Its statements may be under way still: what commits it is sent behind them. */
  readonly transaction: TenantTransaction;
}

/** What the coordinator has to know and to reach. */
export interface CoordinatorSite {
  /** A shard's primary, for statements outside of transactions. */
  readonly primary: (shardId: string) => SqlExecutor;
  /** @throws CatalogUnavailableError while it is not known */
  readonly installationId: () => string;
  /** A shard's primary did not answer. */
  readonly onLost: (shardId: string) => void;
  readonly log: Log;
}

/** How the coordinator works; for tests. */
export interface CoordinatorOptions {
  /** How long commit records outlive their transactions, ms. Default 30,000. */
  readonly recordsKeptMs?: number;
  /** How long a transaction may take from its name to its record, ms. Default 60,000. */
  readonly recordPatienceMs?: number;
  readonly onStep?: OnCommitStep | undefined;
}

/** Far longer than any replica lags that is to be promoted. */
const RECORDS_KEPT_MS = 30_000;

/**
 * From when a transaction gets its name until its record is known to be there, ms. Recovery keeps its own
 * records many times longer: a coordinator that was overtaken always meets the one that stands against it.
 */
const RECORD_PATIENCE_MS = 60_000;

/** How long it is tried to find out what was decided, and how long the caller waits for all to be finished, ms. */
const FIND_OUT_MS = 3_000;
const FIND_OUT_PAUSE_MS = 100;
export const FINISH_PATIENCE_MS = 2_000;

/** SQLSTATEs of a record that recovery has made already; of PREPARE where it is switched off, or all are in use. */
const IS_RECORDED = '23505';
const IS_SWITCHED_OFF = '55000';
const ARE_ALL_IN_USE = '53200';

/** A part that is prepared, or failed to be. */
type Preparation = PromiseSettledResult<PreparedTransaction>;

/**
 * Commits transactions over several shards, wholly or not at all: two-phase commit with presumed abort, in which
 * the first participant decides by its ordinary commit, which holds the commit record.
 */
export class CommitCoordinator {
  readonly #site: CoordinatorSite;
  readonly #records: FinishedRecords;
  readonly #recordPatienceMs: number;
  readonly #onStep: OnCommitStep | undefined;

  constructor(
    site: CoordinatorSite,
    {
      recordsKeptMs = RECORDS_KEPT_MS,
      recordPatienceMs = RECORD_PATIENCE_MS,
      onStep,
    }: CoordinatorOptions = {},
  ) {
    this.#site = site;
    this.#recordPatienceMs = recordPatienceMs;
    this.#onStep = onStep;
    this.#records = new FinishedRecords(site.primary, recordsKeptMs, site.log);
  }

  /**
   * Commits these together, and ends each of them, whatever happens. One alone is committed as it is.
   *
   * It resolves when the decision is durable and all have followed it, or two seconds have passed since: what is
   * away follows when recovery reaches it. It never resolves sooner; `waitingWritesOf` relies on that.
   *
   * @param participants in the order of their shards' ids, one per shard
   * @throws GatewayError `two_phase_unavailable` where a server has `max_prepared_transactions = 0`
   * @throws ShardUnavailableError whose message says whether nothing was kept, or that this is unknown
   * @throws what a statement under way failed with, or one part alone was committed with; nothing was kept then
   */
  async commit(participants: readonly Participant[]): Promise<void> {
    const [first, ...others] = participants;
    if (first === undefined) return;
    if (others.length === 0) {
      await first.transaction.commit();
      return;
    }
    const gid = await this.#name(participants, first.shardId);
    const namedAtMs = performance.now();
    const [recorded, ...prepared] = await Promise.allSettled([
      this.#step('record', first, gid, () => first.transaction.query(RECORD_COMMIT, [gid])),
      ...others.map((other) => this.#step('prepare', other, gid, () => other.transaction.prepare(gid))),
    ] as const);
    const isLate = performance.now() - namedAtMs >= this.#recordPatienceMs;
    const failure =
      failureOf(participants, [recorded, ...prepared]) ?? (isLate ? overtaken(first.shardId) : undefined);
    if (failure !== undefined) {
      await Promise.all([first.transaction.rollback(), undoAll(prepared)]);
      throw this.#told(failure);
    }
    await this.#decide(first, gid, prepared);
    const areFinished = this.#finishAll(others, gid, prepared).then((areAll) => {
      if (areAll) {
        this.#records.add(first.shardId, gid);
        return undefined;
      }
      this.#site.log.warn({ gid }, 'a part of a committed transaction waits for recovery');
      // Not before the time is over.
      return new Promise<never>(() => undefined);
    });
    await settledWithin(areFinished, FINISH_PATIENCE_MS);
  }

  /** Ends what goes on in the background. */
  stop(): void {
    this.#records.stop();
  }

  async #name(participants: readonly Participant[], firstShardId: string): Promise<string> {
    try {
      return mintGid({ installationId: this.#site.installationId(), firstShardId });
    } catch (error) {
      await Promise.all(participants.map(({ transaction }) => transaction.rollback()));
      throw error;
    }
  }

  /** Resolves when it is decided for commit; ends all parts and throws otherwise. */
  async #decide(first: Participant, gid: string, prepared: readonly Preparation[]): Promise<void> {
    try {
      await this.#step('decide', first, gid, () => first.transaction.commit());
    } catch (error) {
      const decision = await this.#findOut(first, gid);
      if (decision === 'commit') return;
      if (decision === 'abort') await undoAll(prepared);
      else for (const part of partsOf(prepared)) part.leave();
      const isLost = isConnectionFailure(error);
      if (decision === 'abort') throw isLost ? this.#told(notKept(first.shardId, error)) : error;
      this.#site.onLost(first.shardId);
      throw unknown(first.shardId, error);
    }
  }

  /** What was decided, where the first participant says it in a short time. */
  async #findOut({ shardId, transaction }: Participant, gid: string): Promise<Decision | undefined> {
    const primary = this.#site.primary(shardId);
    const ask = async (): Promise<Decision | undefined> => {
      const decision = await decide(primary, gid);
      if (decision !== 'commit') return decision;
      const [row] = await primary.query<CommittedRow>(COMMITTED_POSITION_SQL);
      if (row !== undefined) transaction.foundCommitted(committedPosition(row));
      return decision;
    };
    const untilMs = performance.now() + FIND_OUT_MS;
    while (performance.now() < untilMs) {
      // Other connections of the pool may have broken with the one that was lost.
      const asked = ask().catch(() => undefined);
      const isAnswered = await settledWithin(asked, untilMs - performance.now());
      const decision = isAnswered ? await asked : undefined;
      if (decision !== undefined) return decision;
      await sleep(FIND_OUT_PAUSE_MS);
    }
    return undefined;
  }

  async #finishAll(
    others: readonly Participant[],
    gid: string,
    prepared: readonly Preparation[],
  ): Promise<boolean> {
    const finish = async (part: PreparedTransaction, index: number): Promise<boolean> => {
      const { shardId } = others[index] ?? { shardId: '' };
      return this.#step('finish', { shardId }, gid, () => part.commit());
    };
    const finished = await Promise.all(partsOf(prepared).map(finish));
    return finished.every((isFinished) => isFinished);
  }

  #step<T>(
    step: CommitStep,
    { shardId }: Pick<Participant, 'shardId'>,
    gid: string,
    run: () => Promise<T>,
  ): Promise<T> {
    return stepped(this.#onStep, { step, shardId, gid }, run);
  }

  #told(failure: unknown): unknown {
    if (failure instanceof ShardUnavailableError && isConnectionFailure(failure.cause)) {
      this.#site.onLost(failure.shardId);
    }
    return failure;
  }
}

/** Why it cannot be committed: the first cause that is no mere consequence of a lost connection. */
function failureOf(
  participants: readonly Participant[],
  results: readonly PromiseSettledResult<unknown>[],
): unknown {
  const failures = results.flatMap((result, index) => {
    if (result.status === 'fulfilled') return [];
    const shardId = participants[index]?.shardId ?? '';
    return [index === 0 ? recordRefusal(shardId, result.reason) : prepareRefusal(shardId, result.reason)];
  });
  return failures.find((failure) => !(failure instanceof ShardUnavailableError)) ?? failures[0];
}

function recordRefusal(shardId: string, error: unknown): unknown {
  if (isConnectionFailure(error)) return notKept(shardId, error);
  return sqlStateOf(error) === IS_RECORDED ? overtaken(shardId) : error;
}

function prepareRefusal(shardId: string, error: unknown): unknown {
  if (isConnectionFailure(error)) return notKept(shardId, error);
  switch (sqlStateOf(error)) {
    case IS_SWITCHED_OFF:
      return new GatewayError(
        'two_phase_unavailable',
        `The server of shard ${shardId} cannot take part in transactions over several shards; set its ` +
          'max_prepared_transactions to max_connections or so, and restart it, replicas first. Nothing was kept.',
        { cause: error },
      );
    case ARE_ALL_IN_USE:
      return new GatewayError(
        'overloaded',
        `The server of shard ${shardId} has no more room for prepared transactions; try again shortly, ` +
          'or raise its max_prepared_transactions. Nothing was kept.',
        { cause: error, retryAfterSeconds: 1 },
      );
    default:
      return error;
  }
}

/** It took so long that the abort record may have come and gone. */
function overtaken(shardId: string): ShardUnavailableError {
  return new ShardUnavailableError(
    shardId,
    'a transaction over several shards took so long that it was given up; nothing was kept. Try again.',
  );
}

function notKept(shardId: string, cause: unknown): ShardUnavailableError {
  return new ShardUnavailableError(
    shardId,
    'its primary did not answer during a transaction over several shards; nothing was kept. Try again shortly.',
    cause,
  );
}

function unknown(shardId: string, cause: unknown): ShardUnavailableError {
  return new ShardUnavailableError(
    shardId,
    'its primary did not answer while a transaction over several shards was committed. Whether it was kept is ' +
      'unknown; it is on all of its shards, or on none, as soon as they are back.',
    cause,
  );
}

async function undoAll(prepared: readonly Preparation[]): Promise<void> {
  // What recovery has to do here is not waited for by anybody.
  await settledWithin(Promise.all(partsOf(prepared).map((part) => part.rollback())), FINISH_PATIENCE_MS);
}

function partsOf(prepared: readonly Preparation[]): PreparedTransaction[] {
  return prepared.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
}
