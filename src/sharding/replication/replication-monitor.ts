import type { Log } from '../../common/log.js';
import type { ShardPosition } from '../../common/shard-position.js';
import type { DatabaseNode } from '../connections/database-node.js';
import type { NodeDirectory } from '../connections/node-directory.js';

/** What the last poll of a node found. */
export interface NodeStatus {
  readonly reachable: boolean;
  /** The timeline that the node is on; 0 until it was reached. */
  readonly timeline: number;
  /** Replica: how far it has replayed. Primary: how far it has written. A lower bound, as of the last poll. */
  readonly lsn: bigint;
  /** Replica: milliseconds since the last transaction that it replayed was committed; undefined when it never did. */
  readonly lagMs: number | undefined;
}

const NEVER_REACHED: NodeStatus = { reachable: false, timeline: 0, lsn: 0n, lagMs: undefined };

// The position is polled apart from any data read: an LSN selected together with rows can be newer than the
// snapshot in which the rows were read.
const REPLICA_STATUS_SQL = `
  SELECT coalesce(pg_last_wal_replay_lsn(), '0/0') - '0/0'::pg_lsn AS lsn,
         (SELECT timeline_id FROM pg_control_checkpoint()) AS timeline,
         CASE WHEN pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn() THEN 0
              ELSE extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp()) * 1000
         END::float8 AS lag_ms`;
const PRIMARY_STATUS_SQL = `
  SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn AS lsn,
         ('x' || left(pg_walfile_name(pg_current_wal_insert_lsn()), 8))::bit(32)::int AS timeline,
         NULL::float8 AS lag_ms`;

interface StatusRow extends Record<string, unknown> {
  readonly lsn: string;
  readonly timeline: number;
  readonly lag_ms: number | null;
}

/**
 * Knows of every node whether it answers and how far it has come, from a poll in the background, so that no
 * read has to ask first.
 */
export class ReplicationMonitor {
  readonly #nodes: NodeDirectory;
  readonly #pollMs: number;
  readonly #log: Log;
  readonly #status = new Map<string, NodeStatus>();
  readonly #polling = new Set<string>();
  #timer: NodeJS.Timeout | undefined;

  constructor(nodes: NodeDirectory, pollMs: number, log: Log) {
    this.#nodes = nodes;
    this.#pollMs = pollMs;
    this.#log = log;
  }

  /** Polls every node once, then goes on in the background. A node that is away delays nobody. */
  async start(): Promise<void> {
    this.#timer = setInterval(() => {
      for (const node of this.#nodes.all()) void this.poll(node);
    }, this.#pollMs);
    this.#timer.unref();
    await Promise.all(this.#nodes.all().map((node) => this.poll(node)));
  }

  /** Ends the polling. */
  stop(): void {
    clearInterval(this.#timer);
  }

  /** What is known of a node. */
  status(nodeId: string): NodeStatus {
    return this.#status.get(nodeId) ?? NEVER_REACHED;
  }

  /** Bytes of write-ahead log that a replica is behind its primary, as far as both were polled. */
  lagBytes(replica: DatabaseNode): bigint | undefined {
    const primary = this.status(replica.shardId);
    const own = this.status(replica.id);
    if (primary.lsn === 0n || own.lsn === 0n) return undefined;
    return primary.lsn > own.lsn ? primary.lsn - own.lsn : 0n;
  }

  /** How far a shard's primary has written by now: everything committed before this call lies before it. */
  async currentPosition(shardId: string): Promise<ShardPosition> {
    const [row] = await this.#nodes.primary(shardId).query<StatusRow>(PRIMARY_STATUS_SQL);
    return { shardId, timeline: row?.timeline ?? 0, lsn: BigInt(row?.lsn ?? 0) };
  }

  /** Whether every replica of the position's shard has replayed it: then nobody needs to ask for it. */
  isEverywhere(position: ShardPosition): boolean {
    return this.#nodes.replicas(position.shardId).every((replica) => {
      const { timeline, lsn } = this.status(replica.id);
      return timeline === position.timeline && lsn >= position.lsn;
    });
  }

  /** Notes that a statement could not reach a node, without waiting for the next poll to find out. */
  noteUnreachable(nodeId: string): void {
    this.#status.set(nodeId, { ...this.status(nodeId), reachable: false });
  }

  /** Asks one node now. Never rejects; of several calls at once one asks. */
  async poll(node: DatabaseNode): Promise<void> {
    if (this.#polling.has(node.id)) return;
    this.#polling.add(node.id);
    const before = this.status(node.id);
    try {
      const [row] = await node.query<StatusRow>(
        node.role === 'replica' ? REPLICA_STATUS_SQL : PRIMARY_STATUS_SQL,
      );
      if (row === undefined) return;
      this.#status.set(node.id, {
        reachable: true,
        timeline: row.timeline,
        lsn: BigInt(row.lsn),
        lagMs: row.lag_ms === null ? undefined : Math.round(row.lag_ms),
      });
      if (!before.reachable) this.#log.info({ node: node.id }, 'node answers');
    } catch (error) {
      this.noteUnreachable(node.id);
      if (before.reachable) {
        this.#log.warn({ node: node.id, reason: reasonOf(error) }, 'node does not answer');
      }
    } finally {
      this.#polling.delete(node.id);
    }
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : 'unknown';
}
