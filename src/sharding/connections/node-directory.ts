import { ConfigurationError } from '../../common/gateway-error.js';
import type { Log } from '../../common/log.js';
import { ConnectionPool, type ConnectionSource } from './connection-pool.js';
import { DatabaseNode, type NodeRole } from './database-node.js';
import { NodeDataSource, type EntityClass } from './node-data-source.js';
import type { PoolOptions } from './pool-options.js';

/** Where one server is, and the logins for it. */
interface NodeAddress {
  /** The node's id; replicas get `<shard>.r<n>` when they have none. */
  readonly id?: string | undefined;
  /** `postgresql://…` with the gateway's own login. */
  readonly url: string;
}

/** One shard as it is configured. */
export interface ShardAddress {
  readonly id: string;
  readonly primary: NodeAddress;
  readonly replicas: readonly NodeAddress[];
}

interface ShardNodes {
  readonly primary: DatabaseNode;
  readonly replicas: readonly DatabaseNode[];
}

/** Every node of every shard, by shard. It is complete from the start, whoever of them is away. */
export class NodeDirectory {
  readonly #shards: ReadonlyMap<string, ShardNodes>;

  private constructor(shards: ReadonlyMap<string, ShardNodes>) {
    this.#shards = shards;
  }

  /** Makes a data source and a pool for each node. Connects to none of them. */
  static async create(
    shards: readonly ShardAddress[],
    pool: PoolOptions,
    entities: readonly EntityClass[],
    log: Log,
  ): Promise<NodeDirectory> {
    const make = async (id: string, shardId: string, role: NodeRole, url: string): Promise<DatabaseNode> => {
      const connections = new ConnectionPool(id, url, pool, log);
      const access = role === 'primary' ? 'write' : 'read';
      const loginOf = (tenantId: string): ConnectionSource =>
        node.connections({ login: 'tenant', tenantId, access });
      const dataSource = new NodeDataSource(connections, loginOf, access, entities);
      const node = new DatabaseNode({ id, shardId, role, url }, connections, dataSource);
      await dataSource.initialize();
      return node;
    };
    const directory = new Map<string, ShardNodes>();
    for (const { id, primary, replicas } of shards) {
      directory.set(id, {
        primary: await make(id, id, 'primary', primary.url),
        replicas: await Promise.all(
          replicas.map((replica, index) =>
            make(replica.id ?? `${id}.r${index + 1}`, id, 'replica', replica.url),
          ),
        ),
      });
    }
    return new NodeDirectory(directory);
  }

  /** The configured shards' ids, in the order of the configuration. */
  get shardIds(): readonly string[] {
    return [...this.#shards.keys()];
  }

  /** The primary of a shard. @throws ConfigurationError for a shard that is not configured */
  primary(shardId: string): DatabaseNode {
    return this.#nodesOf(shardId).primary;
  }

  /** The replicas of a shard, possibly none. */
  replicas(shardId: string): readonly DatabaseNode[] {
    return this.#nodesOf(shardId).replicas;
  }

  /** Every node. */
  all(): readonly DatabaseNode[] {
    return [...this.#shards.values()].flatMap(({ primary, replicas }) => [primary, ...replicas]);
  }

  /** Closes every connection, waiting for those that are in use. */
  async close(): Promise<void> {
    await Promise.all(this.all().map((node) => node.close()));
  }

  #nodesOf(shardId: string): ShardNodes {
    const nodes = this.#shards.get(shardId);
    if (nodes === undefined) {
      throw new ConfigurationError(
        `The shard map names shard ${shardId}, which the option "shards" does not; add it there.`,
      );
    }
    return nodes;
  }
}
