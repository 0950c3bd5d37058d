import type { EntityManager } from 'typeorm';
import { GatewayContext, type GatewayScope } from '../common/gateway-context.js';
import { ShardUnavailableError } from '../common/gateway-error.js';
import type { RequestTrace } from '../common/request-trace.js';
import type { ShardPosition } from '../common/shard-position.js';
import { isConnectionFailure } from '../sharding/connections/failure.js';
import type { NodeDirectory } from '../sharding/connections/node-directory.js';
import type { TransactionWatch } from '../sharding/connections/tenant-session.js';
import { TenantTransaction } from '../sharding/connections/tenant-transaction.js';
import type { OwnWrites } from '../sharding/replication/own-writes.js';
import type { ReplicationMonitor } from '../sharding/replication/replication-monitor.js';
import type { CommitCoordinator, Participant } from '../sharding/transactions/commit-coordinator.js';
import { isNewsOfNode, type ShardCall } from './shard-call.js';
import { TransactionPart } from './transaction-part.js';
import type { WatchedWrites } from './watched-writes.js';

/** One of those on whose behalf a shared transaction writes. */
export interface Asker {
  /** The acting user, if there is one. */
  readonly scope: GatewayScope;
  /** Of the call chain, which hears how far it wrote. */
  readonly trace: RequestTrace;
  /** The users whose rows are written for it: they see it at once, too. */
  readonly userIds: readonly string[];
}

/** How long a statement of a transaction over several shards waits for a lock, ms. See {@link TransactionPart}. */
const PART_LOCK_TIMEOUT_MS = 4_000;

/** What the way of a write needs. */
interface PrimaryWritesParts {
  readonly monitor: ReplicationMonitor;
  readonly ownWrites: OwnWrites;
  readonly watched: WatchedWrites;
  readonly coordinator: CommitCoordinator;
  /** Throws for a shard that must not be served, as when its schema differs. */
  readonly assertServed: (shardId: string) => void;
}

/**
 * The one way for a write, on the primary of one shard, in the tenant of the current scope: transaction → commit →
 * position → trace, the user's own writes. Transactions over several shards are made of such.
 */
export class PrimaryWrites {
  readonly #nodes: NodeDirectory;
  readonly #monitor: ReplicationMonitor;
  readonly #ownWrites: OwnWrites;
  readonly #watched: WatchedWrites;
  readonly #coordinator: CommitCoordinator;
  readonly #assertServed: (shardId: string) => void;

  constructor(
    nodes: NodeDirectory,
    { monitor, ownWrites, watched, coordinator, assertServed }: PrimaryWritesParts,
  ) {
    this.#nodes = nodes;
    this.#monitor = monitor;
    this.#ownWrites = ownWrites;
    this.#watched = watched;
    this.#coordinator = coordinator;
    this.#assertServed = assertServed;
  }

  /**
   * An entity manager on the primary, for writes that TypeORM wraps in transactions of its own: each is
   * atomic, and each commit is noted.
   */
  writer(call: ShardCall): EntityManager {
    this.#assertServed(call.shardId);
    const scope = GatewayContext.require();
    return this.#nodes.primary(call.shardId).session({
      tenantId: scope.tenantId,
      actor: scope.actor,
      access: 'write',
      login: call.login ?? 'shared',
      watch: this.#watch(scope, call),
    });
  }

  /**
   * Runs writes on the primary. They are never repeated by themselves: when the connection breaks during a
   * commit, nobody can say whether it was kept.
   *
   * @throws ShardUnavailableError when the primary does not answer
   */
  async write<T>(call: ShardCall, run: (manager: EntityManager) => Promise<T>): Promise<T> {
    const { shardId } = call;
    this.#assertPrimaryThere(shardId);
    try {
      return await run(this.writer(call));
    } catch (error) {
      if (!isConnectionFailure(error)) throw error;
      this.#noteFailure(shardId, call);
      throw writeUnknown(shardId, error);
    }
  }

  /**
   * Begins a transaction on a primary in which the library writes for several at once, of one tenant. The caller
   * ends it. What it writes with is the gateway's own login; each asker sees what was written from then on. Its
   * statements know the keys of their rows.
   *
   * @param lockTimeoutMs how long each of them waits for a lock
   * @param askers asked for when it is committed
   * @throws ShardUnavailableError when the primary is away
   */
  async beginShared(
    {
      shardId,
      tenantId,
      lockTimeoutMs,
    }: { readonly shardId: string; readonly tenantId: string; readonly lockTimeoutMs: number },
    actor: string,
    askers: () => Iterable<Asker>,
  ): Promise<TenantTransaction> {
    this.#assertServed(shardId);
    this.#assertPrimaryThere(shardId);
    const noteCommit = (position: ShardPosition): void => {
      for (const { scope, trace, userIds } of askers()) {
        trace.noteWrite(position);
        for (const user of new Set([scope.userId, ...userIds])) {
          if (user !== undefined) this.#ownWrites.note(tenantId, user, position);
        }
      }
    };
    const source = this.#nodes.primary(shardId).connections({ tenantId, login: 'shared', access: 'write' });
    return TenantTransaction.begin(source, {
      tenantId,
      actor,
      lockTimeoutMs,
      watch: () => this.#watched.watch({ shardId, tenantId }, noteCommit),
    });
  }

  /**
   * Begins one shard's part of a transaction over several, on the gateway's own login, in the tenant of the scope.
   *
   * @param userIds whose rows it is about
   * @throws ShardUnavailableError when the primary is away
   */
  async beginPart(shardId: string, userIds: readonly string[]): Promise<TransactionPart> {
    this.#assertServed(shardId);
    this.#assertPrimaryThere(shardId);
    const scope = GatewayContext.require();
    const { tenantId, actor } = scope;
    const watch = this.#watch(scope, { shardId }, userIds);
    const manager = this.#nodes.primary(shardId).session({
      tenantId,
      actor,
      access: 'write',
      login: 'shared',
      lockTimeoutMs: PART_LOCK_TIMEOUT_MS,
      watch,
    });
    try {
      return await TransactionPart.begin(shardId, manager);
    } catch (error) {
      throw this.partFailure([shardId], error);
    }
  }

  /** What a part that was lost before its commit is told as; the monitor hears of it. */
  partFailure(lostShardIds: readonly string[], error: unknown): unknown {
    const [shardId] = lostShardIds;
    if (shardId === undefined || !isConnectionFailure(error)) return error;
    for (const lost of lostShardIds) this.#noteFailure(lost, { shardId: lost });
    return new ShardUnavailableError(
      shardId,
      'its primary does not answer; nothing was kept. Try again shortly.',
      error,
    );
  }

  /**
   * Commits transactions on several shards, wholly or not at all, and ends each of them whatever happens. Their
   * statements may be under way still. One alone is committed as it is.
   *
   * @param participants one per shard, in the order of the shards' ids, on the shared login
   * @see CommitCoordinator.commit for what it throws
   */
  async commitTogether(participants: readonly Participant[]): Promise<void> {
    const [first] = participants;
    try {
      await this.#coordinator.commit(participants);
    } catch (error) {
      throw first !== undefined && participants.length === 1
        ? this.writeFailure(first.shardId, error)
        : error;
    }
  }

  /** What a failed shared transaction is told as: the monitor hears of it when its primary is away. */
  writeFailure(shardId: string, error: unknown): unknown {
    if (!isConnectionFailure(error)) return error;
    this.#noteFailure(shardId, { shardId });
    return writeUnknown(shardId, error);
  }

  #assertPrimaryThere(shardId: string): void {
    const { state, reason } = this.#monitor.status(shardId);
    // The next poll finds out when it is back; until then nobody needs to wait for it.
    if (state !== 'down') return;
    throw new ShardUnavailableError(shardId, `its primary ${reason ?? 'is away'}; try again shortly.`);
  }

  /** The cache knows of a commit first, then the chain and the users, so that nobody reads what is older. */
  #watch(
    { tenantId, userId }: GatewayScope,
    call: ShardCall,
    userIds: readonly string[] = [],
  ): () => TransactionWatch {
    const trace = GatewayContext.trace();
    const users = new Set([userId, call.userId, ...userIds].filter((user) => user !== undefined));
    const noteCommit = (position: ShardPosition): void => {
      trace?.noteWrite(position);
      for (const user of users) this.#ownWrites.note(tenantId, user, position);
    };
    return () => this.#watched.watch({ shardId: call.shardId, tenantId }, noteCommit);
  }

  #noteFailure(shardId: string, call: ShardCall): void {
    if (isNewsOfNode(call)) this.#monitor.noteFailure(shardId);
  }
}

function writeUnknown(shardId: string, cause: unknown): ShardUnavailableError {
  return new ShardUnavailableError(
    shardId,
    'its primary does not answer. Whether a write was kept is unknown; repeat it with its idempotency key.',
    cause,
  );
}
