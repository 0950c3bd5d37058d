import type { EntityManager } from 'typeorm';
import { GatewayContext, type GatewayScope } from '../common/gateway-context.js';
import { ShardUnavailableError } from '../common/gateway-error.js';
import type { RequestTrace } from '../common/request-trace.js';
import { laterPosition, type ShardPosition } from '../common/shard-position.js';
import type { ConnectionSource, PooledConnection } from '../sharding/connections/connection-pool.js';
import type { DatabaseNode } from '../sharding/connections/database-node.js';
import { isConnectionFailure, sqlStateOf } from '../sharding/connections/failure.js';
import type { NodeDirectory } from '../sharding/connections/node-directory.js';
import type { TenantSession, TransactionWatch } from '../sharding/connections/tenant-session.js';
import { TenantTransaction } from '../sharding/connections/tenant-transaction.js';
import type { CommitCoordinator, Participant } from '../sharding/transactions/commit-coordinator.js';
import type { OwnWrites } from '../sharding/replication/own-writes.js';
import type { ReplicationMonitor } from '../sharding/replication/replication-monitor.js';
import { TenantLoginUnavailableError } from '../sharding/tenant-roles/tenant-login-unavailable-error.js';
import type { ShardFloors } from '../sharding/replication/shard-floors.js';
import type { CacheChoice } from './cache-choice.js';
import { ReadCounts } from './read-counts.js';
import { TransactionPart } from './transaction-part.js';
import type { WatchedWrites } from './watched-writes.js';

/** How one read may be answered. */
export interface ReadOptions {
  /** `primary` goes past the replicas, for a read that must not lag at all. Default: `replica`. */
  readonly from?: 'replica' | 'primary';
  /**
   * Whether the cache may answer, and keep what a database answers; `ttlMs` says how old the answer may be,
   * where that is less than the cache allows. Default: what the entity was declared with, else true.
   */
  readonly cache?: CacheChoice;
}

/** Whose rows a call touches: it decides which of the caller's own writes a read must show. */
export interface ShardCall {
  readonly shardId: string;
  /** The user whose rows these are, when the call is about one user. */
  readonly userId?: string | undefined;
  /** The login that its statements run on: `tenant` for text that a caller wrote. Default: `shared`. */
  readonly login?: 'shared' | 'tenant';
}

/** One of those on whose behalf a shared transaction writes. */
export interface Asker {
  /** The acting user, if there is one. */
  readonly scope: GatewayScope;
  /** Of the call chain, which hears how far it wrote. */
  readonly trace: RequestTrace;
  /** The users whose rows are written for it: they see it at once, too. */
  readonly userIds: readonly string[];
}

/** SQLSTATEs with which a replica cancels a read that stands in the way of replay: another node will do. */
const STANDBY_CONFLICTS = new Set(['40001', '40P01']);

/** How long a statement of a transaction over several shards waits for a lock, ms. See {@link TransactionPart}. */
const PART_LOCK_TIMEOUT_MS = 4_000;

const NO_NODES: ReadonlySet<string> = new Set();

/** A read on its way from node to node. */
interface ReadUnderWay<T> {
  readonly call: ShardCall;
  readonly scope: GatewayScope;
  readonly run: (node: DatabaseNode, scope: GatewayScope) => Promise<T>;
  readonly options: ReadOptions;
  /** What the answer must show beside what the call itself asks for. */
  readonly least: ShardPosition | undefined;
  /** The nodes under which it failed. */
  readonly failed: ReadonlySet<string>;
}

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
  readonly #floors: ShardFloors;
  readonly #writes: WatchedWrites;
  /** The reads of this process that were answered, the cache's included. */
  readonly reads: ReadCounts;
  readonly #coordinator: CommitCoordinator;
  /** Throws for a shard that must not be served, as when its schema differs. */
  readonly assertServed: (shardId: string) => void;

  /** @param assertServed throws for a shard that must not be served */
  constructor(
    nodes: NodeDirectory,
    monitor: ReplicationMonitor,
    {
      ownWrites,
      floors,
      writes,
      coordinator,
    }: {
      ownWrites: OwnWrites;
      floors: ShardFloors;
      writes: WatchedWrites;
      coordinator: CommitCoordinator;
    },
    assertServed: (shardId: string) => void,
  ) {
    this.#nodes = nodes;
    this.reads = new ReadCounts(nodes.shardIds);
    this.#monitor = monitor;
    this.#ownWrites = ownWrites;
    this.#floors = floors;
    this.#writes = writes;
    this.#coordinator = coordinator;
    this.assertServed = assertServed;
  }

  /**
   * Runs a read through TypeORM on the replica that suits best, or on the primary. When a node fails under
   * it, `run` is called again on the next one, at most once per node.
   *
   * @throws ShardUnavailableError when no node of the shard answers
   */
  read<T>(
    call: ShardCall,
    run: (manager: EntityManager) => Promise<T>,
    options: ReadOptions = {},
  ): Promise<T> {
    const runOn = (node: DatabaseNode, scope: GatewayScope): Promise<T> =>
      run(node.session(this.readSession(scope, call)));
    return this.readOn(call, runOn, options);
  }

  /**
   * The same for a read that goes to the node itself. It is the hot path: each promise less is a few percent
   * of a point read.
   *
   * @param least what the answer must show beside what the call itself asks for
   * @see read
   */
  readOn<T>(
    call: ShardCall,
    run: (node: DatabaseNode, scope: GatewayScope) => Promise<T>,
    options: ReadOptions = {},
    least?: ShardPosition,
  ): Promise<T> {
    this.assertServed(call.shardId);
    const scope = GatewayContext.require();
    return this.#readFrom({ call, scope, run, options, least, failed: NO_NODES }, undefined);
  }

  #readFrom<T>(read: ReadUnderWay<T>, failure: unknown): Promise<T> {
    const { call, scope, run, failed } = read;
    const node = this.#chooseReader(read);
    if (node === undefined) return Promise.reject(noneAnswers(call.shardId, failure));
    return run(node, scope).then(
      (answer) => {
        GatewayContext.trace()?.noteRead(call.shardId, node.role);
        this.reads.note(call.shardId, node.role);
        if (node.role === 'replica') this.#monitor.noteSuccess(node.id);
        return answer;
      },
      (error: unknown) => {
        if (!this.#isFaultOf(node, call, error)) throw error;
        return this.#readFrom({ ...read, failed: new Set([...failed, node.id]) }, error);
      },
    );
  }

  /** An entity manager for reads whose every statement is answered by `answer`. */
  readAnswered(call: ShardCall, answer: NonNullable<TenantSession['answer']>): EntityManager {
    this.assertServed(call.shardId);
    const session = this.readSession(GatewayContext.require(), call);
    return this.#nodes.primary(call.shardId).session({ ...session, answer });
  }

  /**
   * An entity manager for reads that are issued later, by a query builder: a node is chosen when a statement
   * needs a connection, and another one when that cannot be had. Once it runs it is not tried again.
   */
  readLater(call: ShardCall, options: ReadOptions = {}): EntityManager {
    this.assertServed(call.shardId);
    const session = this.readSession(GatewayContext.require(), call);
    const lenders = new WeakMap<PooledConnection, ConnectionSource>();
    const source: ConnectionSource = {
      acquire: () =>
        this.readOn(
          call,
          async (node) => {
            const lender = node.connections(session);
            const connection = await lender.acquire();
            lenders.set(connection, lender);
            return connection;
          },
          options,
        ),
      release: (connection, broken) => lenders.get(connection)?.release(connection, broken),
    };
    return this.#nodes.primary(call.shardId).session(session, source);
  }

  /**
   * An entity manager on the primary, for writes that TypeORM wraps in transactions of its own: each is
   * atomic, and each commit is noted.
   */
  writer(call: ShardCall): EntityManager {
    this.assertServed(call.shardId);
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
    this.assertServed(shardId);
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
      watch: () => this.#writes.watch({ shardId, tenantId }, noteCommit),
    });
  }

  /**
   * Begins one shard's part of a transaction over several, on the gateway's own login, in the tenant of the scope.
   *
   * @param userIds whose rows it is about
   * @throws ShardUnavailableError when the primary is away
   */
  async beginPart(shardId: string, userIds: readonly string[]): Promise<TransactionPart> {
    this.assertServed(shardId);
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
    return () => this.#writes.watch({ shardId: call.shardId, tenantId }, noteCommit);
  }

  /** The session of a read, on whichever node. */
  readSession({ tenantId, actor }: GatewayScope, { login = 'shared' }: ShardCall): TenantSession {
    return { tenantId, actor, access: 'read', login };
  }

  /** Whether another node may well answer what this one did not; the monitor is told if it is away. */
  #isFaultOf(node: DatabaseNode, call: ShardCall, error: unknown): boolean {
    if (isConnectionFailure(error)) {
      this.#noteFailure(node.id, call);
      return true;
    }
    if (node.role === 'primary') return false;
    return error instanceof TenantLoginUnavailableError || STANDBY_CONFLICTS.has(sqlStateOf(error) ?? '');
  }

  /**
   * A caller's SQL may end its own session, and whether the server's word on that arrives, or only the end of
   * the socket, is a matter of luck: the loss of a tenant's connection says nothing of the node.
   */
  #noteFailure(nodeId: string, { login }: ShardCall): void {
    if (login !== 'tenant') this.#monitor.noteFailure(nodeId);
  }

  /** The next node to try: a qualified replica, else the primary, else nothing. */
  #chooseReader({ call, scope, failed, options, least }: ReadUnderWay<unknown>): DatabaseNode | undefined {
    const { shardId } = call;
    let replica: DatabaseNode | undefined;
    if (options.from !== 'primary') {
      let required = this.#requiredPosition(call, scope);
      if (least !== undefined) required = laterPosition(required, least);
      replica = this.#monitor.pickReplica(shardId, required, failed);
    }
    if (replica !== undefined) return replica;
    const isAway = failed.has(shardId) || this.#monitor.status(shardId).state === 'down';
    return isAway ? undefined : this.#nodes.primary(shardId);
  }

  /** What a read must show at least: what a token asked for, what everybody is held to, and what the users concerned wrote. */
  #requiredPosition(call: ShardCall, scope: GatewayScope): ShardPosition | undefined {
    let required = GatewayContext.trace()?.requiredPosition(call.shardId);
    const floor = this.#floors.required(call.shardId);
    if (floor !== undefined) required = laterPosition(required, floor);
    const written = this.#ownPosition(call.shardId, scope.tenantId, scope.userId);
    if (written !== undefined) required = laterPosition(required, written);
    if (call.userId === scope.userId) return required;
    const ofRows = this.#ownPosition(call.shardId, scope.tenantId, call.userId);
    return ofRows === undefined ? required : laterPosition(required, ofRows);
  }

  #ownPosition(shardId: string, tenantId: string, userId: string | undefined): ShardPosition | undefined {
    return userId === undefined ? undefined : this.#ownWrites.required(tenantId, userId, shardId);
  }
}

function noneAnswers(shardId: string, cause: unknown): ShardUnavailableError {
  return new ShardUnavailableError(shardId, 'none of its nodes answers; try again shortly.', cause);
}

function writeUnknown(shardId: string, cause: unknown): ShardUnavailableError {
  return new ShardUnavailableError(
    shardId,
    'its primary does not answer. Whether a write was kept is unknown; repeat it with its idempotency key.',
    cause,
  );
}
