import type { EntityManager } from 'typeorm';
import { GatewayContext, type GatewayScope } from '../common/gateway-context.js';
import { ShardUnavailableError } from '../common/gateway-error.js';
import { laterPosition, type ShardPosition } from '../common/shard-position.js';
import type { DatabaseNode } from '../sharding/connections/database-node.js';
import { isConnectionFailure, sqlStateOf } from '../sharding/connections/failure.js';
import type { NodeDirectory } from '../sharding/connections/node-directory.js';
import type { TenantSession } from '../sharding/connections/tenant-session.js';
import type { OwnWrites } from '../sharding/replication/own-writes.js';
import { chooseReplica } from '../sharding/replication/replica-choice.js';
import type { ReplicationMonitor } from '../sharding/replication/replication-monitor.js';

/** How one read may be answered. */
export interface ReadOptions {
  /** `primary` goes past the replicas, for a read that must not lag at all. Default: `replica`. */
  readonly from?: 'replica' | 'primary';
}

/** Whose rows a call touches: it decides which of the caller's own writes a read must show. */
export interface ShardCall {
  readonly shardId: string;
  /** The user whose rows these are, when the call is about one user. */
  readonly userId?: string | undefined;
  /** Whether the caller's own SQL ran in it; asked at the end of each transaction. */
  readonly callersSql?: () => boolean;
}

/** SQLSTATEs with which a replica cancels a read that stands in the way of replay: another node will do. */
const STANDBY_CONFLICTS = new Set(['40001', '40P01']);

/**
 * The one way for a read and the one way for a write, on one shard, in the tenant of the current scope.
 *
 * A read: replica by lag and position → statement → trace. A write: primary → transaction → commit →
 * position → trace, the user's own writes.
 */
export class ShardAccess {
  readonly #nodes: NodeDirectory;
  readonly #monitor: ReplicationMonitor;
  readonly #ownWrites: OwnWrites;
  readonly #assertServed: (shardId: string) => void;

  /** @param assertServed throws for a shard that must not be served, as when its schema differs */
  constructor(
    nodes: NodeDirectory,
    monitor: ReplicationMonitor,
    ownWrites: OwnWrites,
    assertServed: (shardId: string) => void,
  ) {
    this.#nodes = nodes;
    this.#monitor = monitor;
    this.#ownWrites = ownWrites;
    this.#assertServed = assertServed;
  }

  /**
   * Runs a read on the replica that suits best, or on the primary. When a node fails under it, `run` is
   * called again on the next one, at most once per node.
   *
   * @throws ShardUnavailableError when no node of the shard answers
   */
  async read<T>(
    call: ShardCall,
    run: (manager: EntityManager) => Promise<T>,
    options: ReadOptions = {},
  ): Promise<T> {
    this.#assertServed(call.shardId);
    const scope = GatewayContext.require();
    const failed = new Set<string>();
    let failure: unknown;
    for (let node = this.#chooseReader(call, scope, failed, options); node !== undefined;) {
      try {
        const answer = await run(node.session(this.#readSession(scope, call)));
        GatewayContext.trace()?.noteRead(call.shardId, node.role);
        return answer;
      } catch (error) {
        const conflict = node.role === 'replica' && STANDBY_CONFLICTS.has(sqlStateOf(error) ?? '');
        if (!conflict && !isConnectionFailure(error)) throw error;
        if (!conflict) this.#monitor.noteUnreachable(node.id);
        failure = error;
        failed.add(node.id);
        node = this.#chooseReader(call, scope, failed, options);
      }
    }
    throw new ShardUnavailableError(call.shardId, 'none of its nodes answers; try again shortly.', failure);
  }

  /**
   * An entity manager for reads that are issued later, by a query builder: the node is chosen now, and
   * nothing is tried again elsewhere.
   */
  readLater(call: ShardCall, options: ReadOptions = {}): EntityManager {
    this.#assertServed(call.shardId);
    const scope = GatewayContext.require();
    const node = this.#chooseReader(call, scope, new Set(), options) ?? this.#nodes.primary(call.shardId);
    GatewayContext.trace()?.noteRead(call.shardId, node.role);
    return node.session(this.#readSession(scope, call));
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
      ...(call.callersSql !== undefined && { callersSql: call.callersSql }),
      onCommitted: this.#noteCommit(scope, call),
    });
  }

  /**
   * Runs writes on the primary. They are never repeated by themselves: when the connection breaks during a
   * commit, nobody can say whether it was kept.
   *
   * @throws ShardUnavailableError when the primary does not answer
   */
  async write<T>(call: ShardCall, run: (manager: EntityManager) => Promise<T>): Promise<T> {
    try {
      return await run(this.writer(call));
    } catch (error) {
      if (!isConnectionFailure(error)) throw error;
      this.#monitor.noteUnreachable(call.shardId);
      throw new ShardUnavailableError(
        call.shardId,
        'its primary does not answer. Whether a write was kept is unknown; repeat it with its idempotency key.',
        error,
      );
    }
  }

  #noteCommit(scope: GatewayScope, call: ShardCall): (position: Omit<ShardPosition, 'shardId'>) => void {
    const trace = GatewayContext.trace();
    const users = new Set([scope.userId, call.userId].filter((userId) => userId !== undefined));
    return (committed) => {
      const position = { shardId: call.shardId, ...committed };
      trace?.noteWrite(position);
      for (const userId of users) this.#ownWrites.note(scope.tenantId, userId, position);
    };
  }

  #readSession({ tenantId, actor }: GatewayScope, { callersSql }: ShardCall): TenantSession {
    return { tenantId, actor, access: 'read', ...(callersSql !== undefined && { callersSql }) };
  }

  /** The next node to try: a qualified replica, else the primary, else nothing. */
  #chooseReader(
    call: ShardCall,
    scope: GatewayScope,
    failed: ReadonlySet<string>,
    { from = 'replica' }: ReadOptions,
  ): DatabaseNode | undefined {
    const { shardId } = call;
    const replicas = from === 'primary' ? [] : this.#nodes.replicas(shardId);
    const candidates = replicas
      .filter(({ id }) => !failed.has(id))
      .map((node) => {
        const { reachable, timeline, lsn } = this.#monitor.status(node.id);
        return { id: node.id, healthy: reachable, timeline, replayedLsn: lsn, inUse: node.inUse, node };
      });
    const chosen = chooseReplica(candidates, this.#requiredPosition(call, scope), Math.random);
    if (chosen !== undefined) return chosen.node;
    return failed.has(shardId) ? undefined : this.#nodes.primary(shardId);
  }

  /** What a read must show at least: what a token asked for, what everybody is held to, and what the users concerned wrote. */
  #requiredPosition(call: ShardCall, scope: GatewayScope): ShardPosition | undefined {
    let required = GatewayContext.trace()?.requiredPosition(call.shardId);
    const floor = this.#ownWrites.floor(call.shardId);
    if (floor !== undefined) required = laterPosition(required, floor);
    for (const userId of new Set([scope.userId, call.userId])) {
      if (userId === undefined) continue;
      const own = this.#ownWrites.required(scope.tenantId, userId, call.shardId);
      if (own !== undefined) required = laterPosition(required, own);
    }
    return required;
  }
}
