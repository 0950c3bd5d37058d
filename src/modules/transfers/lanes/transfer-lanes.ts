import { AsyncLocalStorage } from 'node:async_hooks';
import pLimit, { type LimitFunction } from 'p-limit';
import { GatewayContext } from '../../../common/gateway-context.js';
import { placeOf, type BatchPlace } from '../batches/batch-place.js';
import type { LockMode } from '../batches/batch-reads.js';
import type { LaneAnswer, TransferJob } from '../batches/transfer-job.js';
import type { TransferCommand } from '../decisions/transfer-command.js';
import { Lane } from './lane.js';

/** Batches of one shard, or pair of shards, that are under way at once: of different tenants, a connection each. */
const BATCHES_AT_ONCE = 5;

/** How long a request is tried, at most. */
const PATIENCE_MS = 10_000;

/** Runs one batch. @returns those that somebody else's lock is in the way of; never rejects */
export type RunBatch = (
  place: BatchPlace,
  jobs: readonly TransferJob[],
  mode: LockMode,
) => Promise<readonly TransferJob[]>;

/**
 * One lane per tenant and shard, and one per tenant and pair of shards, whichever way the money goes: two batches in
 * opposite directions could wait for each other over two servers, where no server sees it. The lanes of a shard or
 * pair take turns, one batch each: a tenant that floods waits behind its own requests, and others wait for one batch
 * of it at most.
 */
export class TransferLanes {
  readonly #runBatch: RunBatch;
  readonly #lanes = new Map<string, Lane>();
  readonly #turns = new Map<string, LimitFunction>();
  /** Batches belong to nobody's call chain, or they would keep the first one's alive. */
  readonly #outsideOfScopes = AsyncLocalStorage.snapshot();

  constructor(runBatch: RunBatch) {
    this.#runBatch = runBatch;
  }

  /**
   * Has a request of the scope's tenant decided on its home shard, together with others.
   *
   * @param otherShardId where an account is that it needs as well
   * @throws GatewayError `overloaded` when too many wait, or an account is held for too long; `two_phase_unavailable`
   * @throws ShardUnavailableError when the primary is away; whether it was done is unknown then
   */
  submit(command: TransferCommand, otherShardId = command.homeShardId): Promise<LaneAnswer> {
    const { scope, trace } = GatewayContext.active();
    const lane = this.#laneAt(placeOf(scope.tenantId, [command.homeShardId, otherShardId]));
    return new Promise((resolve, reject) => {
      const deadlineMs = performance.now() + PATIENCE_MS;
      this.#outsideOfScopes(() => {
        lane.add({ command, scope, trace, deadlineMs, resolve, reject });
      });
    });
  }

  #laneAt(place: BatchPlace): Lane {
    const shards = place.shardIds.join(' ');
    const key = `${place.tenantId} ${shards}`;
    let lane = this.#lanes.get(key);
    if (lane === undefined) {
      const inTurn = this.#turnsOf(shards);
      lane = new Lane({
        runBatch: (jobs, mode) => this.#runBatch(place, jobs, mode),
        inTurn: (work) => inTurn(work),
        onIdle: () => this.#lanes.delete(key),
      });
      this.#lanes.set(key, lane);
    }
    return lane;
  }

  #turnsOf(shards: string): LimitFunction {
    let turns = this.#turns.get(shards);
    if (turns === undefined) {
      turns = pLimit(BATCHES_AT_ONCE);
      this.#turns.set(shards, turns);
    }
    return turns;
  }
}
