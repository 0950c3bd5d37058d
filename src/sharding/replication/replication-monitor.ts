import { ConfigurationError, ShardUnavailableError } from '../../common/gateway-error.js';
import type { Log } from '../../common/log.js';
import type { ShardPosition } from '../../common/shard-position.js';
import type { DatabaseNode } from '../connections/database-node.js';
import { isConnectionFailure, sqlStateOf } from '../connections/failure.js';
import type { NodeDirectory } from '../connections/node-directory.js';
import { NoAnswerError } from '../connections/node-probe.js';
import { NODE_STATUS_SQL, answerOf, type NodeStatusRow } from './node-answer.js';
import { NodePoller } from './node-poller.js';
import type { NodeStatus, OutReason } from './node-status.js';
import type { PrimaryHealth } from './primary-health.js';
import { chooseReplica, type RequiredPosition } from './replica-choice.js';
import type { ReplicaHealth } from './replica-health.js';
import type { ReplicationOptions } from './replication-options.js';
import { ShardHealth } from './shard-health.js';

const TOO_MANY_CONNECTIONS = '53300';

interface WatchedShard {
  readonly health: ShardHealth<DatabaseNode>;
  readonly nodes: WatchedNode[];
}

interface WatchedNode {
  readonly node: DatabaseNode;
  readonly shard: WatchedShard;
  readonly health: PrimaryHealth | ReplicaHealth<DatabaseNode>;
  readonly poller: NodePoller;
  /** What was last written to the log of it. */
  logged: OutReason | undefined;
}

/**
 * Knows of every node whether it may be used and how far it has come, from a poll in the background over
 * connections of its own, so that no read has to ask first and no full pool makes a node look dead.
 */
export class ReplicationMonitor {
  readonly #nodes: NodeDirectory;
  readonly #log: Log;
  readonly #shards = new Map<string, WatchedShard>();
  readonly #watched = new Map<string, WatchedNode>();

  constructor(nodes: NodeDirectory, options: ReplicationOptions, log: Log) {
    this.#nodes = nodes;
    this.#log = log;
    for (const shardId of nodes.shardIds) {
      const health = new ShardHealth(nodes.replicas(shardId), options);
      const shard: WatchedShard = { health, nodes: [] };
      this.#shards.set(shardId, shard);
      this.#watch(nodes.primary(shardId), shard, health.primary, options);
      for (const replica of health.replicas) this.#watch(replica.node, shard, replica, options);
    }
  }

  /** Polls every node once, then goes on in the background. One that hangs takes `unresponsiveMs`. */
  async start(): Promise<void> {
    await Promise.all([...this.#watched.values()].map(({ poller }) => poller.start()));
  }

  /** Ends the polling and closes its connections. */
  async stop(): Promise<void> {
    await Promise.all([...this.#watched.values()].map(({ poller }) => poller.stop()));
  }

  /** What is known of a node. @throws ConfigurationError for a node that is not configured */
  status(nodeId: string): NodeStatus {
    return this.#node(nodeId).health;
  }

  /** Whether a node may be used. @throws ConfigurationError for a node that is not configured */
  isHealthy(nodeId: string): boolean {
    return this.#node(nodeId).health.reason === undefined;
  }

  /**
   * The replica for a read; undefined when none qualifies.
   *
   * @param required what the read must show at least
   * @param failed ids of replicas under which this read failed already
   * @throws ConfigurationError for a shard that is not configured
   */
  pickReplica(
    shardId: string,
    required?: RequiredPosition,
    failed?: ReadonlySet<string>,
  ): DatabaseNode | undefined {
    return chooseReplica(this.#shard(shardId).health.replicas, required, failed, Math.random)?.node;
  }

  /** How far a shard's primary has written by now: everything committed before this call lies before it. */
  async currentPosition(shardId: string): Promise<ShardPosition> {
    const [row] = await this.#nodes.primary(shardId).query<NodeStatusRow>(NODE_STATUS_SQL);
    if (row === undefined || row.inRecovery) {
      throw new ShardUnavailableError(
        shardId,
        'its primary is a standby; promote it, or correct primary.url.',
      );
    }
    const { timeline, lsn } = answerOf(row);
    return { shardId, timeline, lsn };
  }

  /**
   * Whether every replica of the position's shard has replayed it: then nobody needs to ask for it.
   *
   * @throws ConfigurationError for a shard that is not configured
   */
  isEverywhere(position: ShardPosition): boolean {
    return this.#shard(position.shardId).health.isEverywhere(position);
  }

  /**
   * Notes that a statement lost its connection to a node: the node is out until it has answered a poll, over
   * a new connection, that begins now. Reads in a row that fail like that open a replica's circuit breaker.
   */
  noteFailure(nodeId: string): void {
    const { shard, health, poller } = this.#node(nodeId);
    // One that is out is being asked already; what fails under it now was under way.
    if (health.state !== 'up' || health.reason === 'in doubt') return;
    const nowMs = performance.now();
    if ('readFailed' in health) health.readFailed(nowMs);
    health.doubted();
    shard.health.judge(nowMs);
    poller.pollSoon();
  }

  /** Notes that a replica answered a read: failures before it no longer count. */
  noteSuccess(nodeId: string): void {
    const { health } = this.#node(nodeId);
    if ('readSucceeded' in health) health.readSucceeded();
  }

  #watch(
    node: DatabaseNode,
    shard: WatchedShard,
    health: PrimaryHealth | ReplicaHealth<DatabaseNode>,
    options: ReplicationOptions,
  ): void {
    const concluded = (): void => {
      shard.health.judge(performance.now());
      this.#logChanges(shard);
    };
    const poller = new NodePoller(node, options, {
      answered: (answer) => {
        health.answered(answer, performance.now());
        concluded();
      },
      failed: (error) => {
        // A server without room for the poll serves those who are in, and what is known of it stays true.
        if (health.state === 'up' && sqlStateOf(error) === TOO_MANY_CONNECTIONS) return;
        const isNew = health.state !== 'down';
        health.failed(error instanceof NoAnswerError ? 'does not answer' : 'cannot be reached');
        concluded();
        // Whoever waits for its answer now is better served by the next node.
        if (isNew && (error instanceof NoAnswerError || isConnectionFailure(error))) node.cut();
      },
      lost: () => {
        health.doubted();
        shard.health.judge(performance.now());
      },
    });
    const watched: WatchedNode = { node, shard, health, poller, logged: 'not asked yet' };
    shard.nodes.push(watched);
    this.#watched.set(node.id, watched);
  }

  #logChanges(shard: WatchedShard): void {
    for (const watched of shard.nodes) {
      const { node, health, logged } = watched;
      const { reason } = health;
      // A doubt is over in milliseconds, one way or the other.
      if (reason === logged || reason === 'in doubt') continue;
      watched.logged = reason;
      if (reason === undefined) this.#log.info({ node: node.id }, 'node is in use');
      else if (reason !== 'not asked yet') this.#log.warn({ node: node.id, reason }, 'node is out');
    }
  }

  #node(nodeId: string): WatchedNode {
    const watched = this.#watched.get(nodeId);
    if (watched === undefined) {
      throw new ConfigurationError(`There is no node ${nodeId}; name it in the option "shards".`);
    }
    return watched;
  }

  #shard(shardId: string): WatchedShard {
    const shard = this.#shards.get(shardId);
    if (shard === undefined) {
      throw new ConfigurationError(
        `The shard map names shard ${shardId}, which the option "shards" does not; add it there.`,
      );
    }
    return shard;
  }
}
