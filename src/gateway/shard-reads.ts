import type { EntityManager } from 'typeorm';
import { GatewayContext, type GatewayScope } from '../common/gateway-context.js';
import { ShardUnavailableError } from '../common/gateway-error.js';
import { laterPosition, type ShardPosition } from '../common/shard-position.js';
import type { ConnectionSource, PooledConnection } from '../sharding/connections/connection-pool.js';
import type { DatabaseNode } from '../sharding/connections/database-node.js';
import { isConnectionFailure, sqlStateOf } from '../sharding/connections/failure.js';
import type { NodeDirectory } from '../sharding/connections/node-directory.js';
import type { TenantSession } from '../sharding/connections/tenant-session.js';
import type { OwnWrites } from '../sharding/replication/own-writes.js';
import type { ReplicationMonitor } from '../sharding/replication/replication-monitor.js';
import type { ShardFloors } from '../sharding/replication/shard-floors.js';
import { TenantLoginUnavailableError } from '../sharding/tenant-roles/tenant-login-unavailable-error.js';
import type { CacheChoice } from './cache-choice.js';
import { ReadCounts } from './read-counts.js';
import { isNewsOfNode, type ShardCall } from './shard-call.js';

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

/** SQLSTATEs with which a replica cancels a read that stands in the way of replay: another node will do. */
const STANDBY_CONFLICTS = new Set(['40001', '40P01']);

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

/** What the way of a read needs. */
interface ShardReadsParts {
  readonly monitor: ReplicationMonitor;
  readonly ownWrites: OwnWrites;
  readonly floors: ShardFloors;
  /** Throws for a shard that must not be served, as when its schema differs. */
  readonly assertServed: (shardId: string) => void;
}

/**
 * The one way for a read, on one shard, in the tenant of the current scope: replica by lag and position →
 * statement → trace.
 */
export class ShardReads {
  readonly #nodes: NodeDirectory;
  readonly #monitor: ReplicationMonitor;
  readonly #ownWrites: OwnWrites;
  readonly #floors: ShardFloors;
  /** The reads of this process that were answered, the cache's included. */
  readonly counts: ReadCounts;
  /** Throws for a shard that must not be served, as when its schema differs. */
  readonly assertServed: (shardId: string) => void;

  constructor(nodes: NodeDirectory, { monitor, ownWrites, floors, assertServed }: ShardReadsParts) {
    this.#nodes = nodes;
    this.#monitor = monitor;
    this.#ownWrites = ownWrites;
    this.#floors = floors;
    this.counts = new ReadCounts(nodes.shardIds);
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
        this.counts.note(call.shardId, node.role);
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

  /** The session of a read, on whichever node. */
  readSession({ tenantId, actor }: GatewayScope, { login = 'shared' }: ShardCall): TenantSession {
    return { tenantId, actor, access: 'read', login };
  }

  /** Whether another node may well answer what this one did not; the monitor is told if it is away. */
  #isFaultOf(node: DatabaseNode, call: ShardCall, error: unknown): boolean {
    if (isConnectionFailure(error)) {
      if (isNewsOfNode(call)) this.#monitor.noteFailure(node.id);
      return true;
    }
    if (node.role === 'primary') return false;
    return error instanceof TenantLoginUnavailableError || STANDBY_CONFLICTS.has(sqlStateOf(error) ?? '');
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
