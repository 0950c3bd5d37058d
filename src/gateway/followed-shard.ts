import type { Log } from '../common/log.js';
import type { GatheredWrites, WrittenBefore } from '../cache/bus/write-notice.js';
import type { QueryCache } from '../cache/query-cache.js';
import type { WriteFence } from '../cache/write-fence.js';
import { LogFollower, type PrimaryAnswer, type PrimaryQuestion } from '../cache/strict/log-follower.js';
import type { EndWrites } from '../cache/strict/unseen-commits.js';
import type { SqlRow } from '../common/sql-executor.js';
import { LogStream, type LogSource } from '../sharding/connections/log-stream.js';
import { NodeProbe } from '../sharding/connections/node-probe.js';

const ANSWER_MS_MAX = 2_000;

/**
 * A mark is a record of its own in the log, so that reading up to it means having read what was written before;
 * one that no commit follows is written out by the server within some tenths of a second, unasked. A transaction
 * that is named here is given its number for that, and writes nothing.
 */
const BESIDE: Readonly<Record<PrimaryQuestion, string>> = {
  mark: `pg_logical_emit_message(false, 'shardgate', '') - '0/0'::pg_lsn AS mark, NULL AS horizon`,
  horizon: 'NULL AS mark, pg_current_xact_id()::text AS horizon',
  'nothing more': 'NULL AS mark, NULL AS horizon',
};

const PRIMARY_SQL = `
  SELECT pg_current_snapshot()::text AS snapshot,
         (SELECT system_identifier::text FROM pg_control_system()) AS "systemIdentifier",
         ('x' || left(pg_walfile_name(pg_current_wal_insert_lsn()), 8))::bit(32)::int AS timeline`;

interface PrimaryRow extends SqlRow, Omit<PrimaryAnswer, 'mark' | 'horizon'> {
  readonly mark: string | null;
  readonly horizon: string | null;
}

/** How a shard is followed for a cache in strict mode. */
export interface FollowedShardOptions extends LogSource {
  /** The gateway's own login on the primary. */
  readonly primaryUrl: string;
  /** A gap is over, but where in the log is not known: ends the fence behind all that is written by now. */
  readonly endGap: (fence: WriteFence) => void;
}

/** Strict mode on one shard: what the log tells reaches the cache as the own writes do, by fences. */
export class FollowedShard {
  readonly #stream: LogStream;
  readonly #follower: LogFollower;
  readonly #probe: NodeProbe;

  constructor(
    cache: Pick<QueryCache<unknown>, 'beginWrite' | 'beginUnheard'>,
    options: FollowedShardOptions,
    log: Log,
  ) {
    const { shardId } = options;
    this.#probe = new NodeProbe(options.primaryUrl, ANSWER_MS_MAX, () => undefined);
    this.#follower = new LogFollower({
      ask: (question) => this.#ask(question),
      onWrites: (writes, position) => fenceOf(cache, shardId, writes, position),
      onGap: () => {
        const fence = cache.beginUnheard(shardId);
        return () => {
          options.endGap(fence);
        };
      },
      onBeat: () => {
        this.#stream.acknowledge();
      },
    });
    const follower = this.#follower;
    this.#stream = new LogStream(
      options,
      {
        onStarted: (history) => {
          follower.started(history);
        },
        onChange: (change) => {
          follower.changed(change);
        },
        onCommit: (xid, lsn) => {
          follower.committed(xid, lsn);
        },
        onReached: (lsn) => {
          follower.reached(lsn);
        },
        onLost: () => {
          follower.lost();
        },
      },
      log,
    );
  }

  /** Whether everything is known that anybody was shown up to 1.5 s ago. */
  isHeardAt(nowMs: number): boolean {
    return this.#follower.isHeardAt(nowMs);
  }

  /** Begins; what is away is tried again in the background. To be called when the shard's tables are there. */
  start(): void {
    this.#stream.start();
  }

  /** Ends it, and the slot on the server with it. */
  async stop(): Promise<void> {
    this.#stream.close();
    this.#follower.lost();
    await this.#probe.close();
  }

  async #ask(question: PrimaryQuestion): Promise<PrimaryAnswer> {
    const { mark, horizon, ...row } = await this.#probe.ask<PrimaryRow>(
      `${PRIMARY_SQL}, ${BESIDE[question]}`,
      false,
    );
    return {
      ...row,
      mark: mark === null ? undefined : BigInt(mark),
      horizon: horizon === null ? undefined : BigInt(horizon),
    };
  }
}

function fenceOf(
  cache: Pick<QueryCache<unknown>, 'beginWrite' | 'beginUnheard'>,
  shardId: string,
  writes: GatheredWrites,
  position: WrittenBefore,
): EndWrites {
  const fences =
    writes === 'everything'
      ? [cache.beginUnheard(shardId)]
      : writes.map(({ tenantId, rows }) => cache.beginWrite({ shardId, tenantId }, rows));
  return () => {
    for (const fence of fences) fence.committed({ shardId, ...position });
  };
}
