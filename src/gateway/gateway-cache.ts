import type { Log } from '../common/log.js';
import type { ShardPosition } from '../common/shard-position.js';
import type { WrittenPosition } from '../common/written-position.js';
import { ShardBus } from '../cache/bus/shard-bus.js';
import { QueryCache } from '../cache/query-cache.js';
import type { WriteFence } from '../cache/write-fence.js';
import { referencingTables } from '../persistence/statements/written-rows.js';
import { tableOf } from '../persistence/table-of.js';
import { CACHE_CHANNEL } from '../sharding/connections/cache-channel.js';
import type { NodeDirectory } from '../sharding/connections/node-directory.js';
import { NoticeConnection } from '../sharding/connections/notice-connection.js';
import { newWriterName } from '../sharding/replication/consistency-token.js';
import type { ReplicationMonitor } from '../sharding/replication/replication-monitor.js';
import { busSecretOf } from './bus-secret.js';
import type { KeptAnswer } from './cached-reads.js';
import { CommitOutcomes } from './commit-outcomes.js';
import { FollowedShard } from './followed-shard.js';
import { isStrict, type ResolvedGatewayOptions } from './gateway-options.js';
import { SideEffects } from './side-effects.js';
import { WatchedWrites } from './watched-writes.js';

/** The bus of one shard, and what it runs over. */
interface ShardNotices {
  readonly bus: ShardBus;
  readonly connection: NoticeConnection;
}

/**
 * The cache of this process, and all that keeps it true: every write of its own goes past it, and so does the
 * news of what other processes write. Without a cache of its own a process still tells the others.
 */
export class GatewayCache {
  /** Undefined where the options ask for none. */
  readonly cache: QueryCache<KeptAnswer> | undefined;
  /** How much of the heap it may take, bytes; 0 where there is none. */
  readonly maxBytes: number;
  readonly writes: WatchedWrites;
  /** A tenant's own share of the cache, above 0 and at most 1; undefined: the options' `tenantShare`. */
  quotaOf: (tenantId: string) => number | undefined = () => undefined;
  /** The name of this process in tokens: of the process whose cache knows of the write. */
  readonly #writer = newWriterName();
  readonly #monitor: ReplicationMonitor;
  readonly #nodes: NodeDirectory;
  readonly #effects: SideEffects;
  readonly #outcomes: CommitOutcomes;
  readonly #notices: ReadonlyMap<string, ShardNotices>;
  /** In strict mode every shard, else none. */
  readonly #followed: ReadonlyMap<string, FollowedShard>;

  constructor(options: ResolvedGatewayOptions, nodes: NodeDirectory, monitor: ReplicationMonitor, log: Log) {
    this.#nodes = nodes;
    this.#monitor = monitor;
    this.#outcomes = new CommitOutcomes(nodes, (shardId) => monitor.currentPosition(shardId));
    this.#notices = new Map(
      options.shards.map(({ id, primary }) => [id, this.#noticesOf(id, primary.url, log)]),
    );
    this.maxBytes = options.cache === false ? 0 : options.cache.maxBytes;
    this.cache = options.cache === false ? undefined : this.#cacheWith(options.cache);
    this.#followed = this.#followedShards(options, log);
    const referencing = referencingTables(nodes.all()[0]?.dataSource.entityMetadatas ?? []);
    this.#effects = new SideEffects(referencing);
    this.writes = new WatchedWrites(this.cache, {
      writer: this.#writer,
      referencing,
      hasSideEffects: (table) => this.#effects.has(table),
      noticesWithin: ({ shardId, ...write }) => {
        const bus = this.#notices.get(shardId)?.bus;
        return bus === undefined || bus.isAnnouncing ? [] : bus.noticePayloads(write);
      },
      announce: ({ shardId, ...write }) => {
        this.#notices.get(shardId)?.bus.announce(write);
      },
      findOut: (shardId, commit, over) => {
        this.#outcomes.findOut(shardId, commit, over);
      },
    });
  }

  /** Whether this cache knows of a write, so that nothing that it answers from here on is older. */
  knows({ writer }: WrittenPosition): boolean {
    // The fence of a write of its own has changed what it touches before anybody got a token of it.
    return writer === this.#writer;
  }

  /** A shard's tables are there, or have changed. */
  async learnSchema(shardId: string): Promise<void> {
    await this.#effects.learn(this.#nodes.primary(shardId));
    // What was read before may have had other columns.
    this.cache?.clear();
    this.#followed.get(shardId)?.start();
  }

  /** Begins to listen to the other processes, on every shard; what is away is tried again in the background. */
  async start(): Promise<void> {
    await Promise.all(Array.from(this.#notices.values(), ({ connection }) => connection.connect()));
  }

  /** Whether what other processes write on a shard is heard of in time: while not, the cache answers nothing of it. */
  isHeard(shardId: string, nowMs: number): boolean {
    const isOfGateways = this.#notices.get(shardId)?.bus.isHeardAt(nowMs) === true;
    return isOfGateways && this.#followed.get(shardId)?.isHeardAt(nowMs) !== false;
  }

  /** Says goodbye to the other processes. */
  async stop(): Promise<void> {
    this.#outcomes.stop();
    const unfollowed = Array.from(this.#followed.values(), (shard) => shard.stop());
    await Promise.all(
      Array.from(this.#notices.values(), async ({ bus, connection }) => {
        await bus.close();
        connection.close();
      }),
    );
    await Promise.all(unfollowed);
  }

  #followedShards({ cache: options, shards }: ResolvedGatewayOptions, log: Log): Map<string, FollowedShard> {
    const followed = new Map<string, FollowedShard>();
    const { cache } = this;
    if (cache === undefined || !isStrict(options)) return followed;
    const entities = this.#nodes.all()[0]?.dataSource.entityMetadatas ?? [];
    const tables = entities.filter(({ tableType }) => tableType === 'regular').map(tableOf);
    for (const { id: shardId, primary } of shards) {
      const { url: primaryUrl, replicationUrl: url = primaryUrl } = primary;
      const endGap = (fence: WriteFence): void => {
        this.#endAtCurrent(shardId, fence);
      };
      followed.set(shardId, new FollowedShard(cache, { shardId, url, tables, primaryUrl, endGap }, log));
    }
    return followed;
  }

  #cacheWith({ tenantShare, ...options }: Exclude<ResolvedGatewayOptions['cache'], false>) {
    return new QueryCache<KeptAnswer>({
      ...options,
      shareOf: (tenantId) => this.quotaOf(tenantId) ?? tenantShare,
      isEverywhere: (position) => this.#monitor.isEverywhere(position),
      isHeard: (shardId, nowMs) => this.isHeard(shardId, nowMs),
      now: () => performance.now(),
    });
  }

  #noticesOf(shardId: string, url: string, log: Log): ShardNotices {
    const connection: NoticeConnection = new NoticeConnection(
      url,
      CACHE_CHANNEL,
      {
        onPayload: (payload) => {
          bus.received(payload);
        },
        onListening: () => {
          bus.listening();
        },
        onLost: () => {
          bus.lost();
        },
      },
      log,
    );
    const bus = new ShardBus(
      connection,
      {
        onNotice: ({ tenantId, rows, position }) => {
          const fence = this.cache?.beginWrite({ shardId, tenantId }, rows);
          if (position !== undefined) fence?.committed({ shardId, ...position });
          else if (fence !== undefined) this.#endAtCurrent(shardId, fence);
        },
        onGap: () => {
          const fence = this.cache?.beginUnheard(shardId);
          if (fence !== undefined) this.#endAtCurrent(shardId, fence);
        },
      },
      { secret: busSecretOf(shardId, url) },
    );
    return { bus, connection };
  }

  /** For a write that lies before any position that is asked for now. */
  #endAtCurrent(shardId: string, fence: { committed: (position: ShardPosition) => void }): void {
    this.#outcomes.findPosition(shardId, (position) => {
      fence.committed(position);
    });
  }
}
