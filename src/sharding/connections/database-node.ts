import type { EntityManager } from 'typeorm';
import type { SqlRow } from '../../common/sql-executor.js';
import type { ConnectionPool } from './connection-pool.js';
import type { NodeDataSource } from './node-data-source.js';
import type { TenantSession } from './tenant-session.js';

/** What a node is to its shard. */
export type NodeRole = 'primary' | 'replica';

/** One PostgreSQL server of one shard, as this process reaches it. */
export class DatabaseNode {
  /** `s0` is the primary of shard `s0`; `s0.r1` its first replica. */
  readonly id: string;
  readonly shardId: string;
  readonly role: NodeRole;
  readonly dataSource: NodeDataSource;
  readonly #pool: ConnectionPool;

  constructor(id: string, shardId: string, role: NodeRole, pool: ConnectionPool, dataSource: NodeDataSource) {
    this.id = id;
    this.shardId = shardId;
    this.role = role;
    this.dataSource = dataSource;
    this.#pool = pool;
  }

  /** Connections of this process that are in use or waited for. */
  get inUse(): number {
    return this.#pool.inUse;
  }

  /** An entity manager held to one tenant; it takes a connection per statement or transaction. */
  session(session: TenantSession): EntityManager {
    return this.dataSource.createSession(session);
  }

  /** One statement about the server itself, outside of any tenant. */
  query<Row extends SqlRow = SqlRow>(sql: string, params?: readonly unknown[]): Promise<Row[]> {
    return this.#pool.query<Row>(sql, params);
  }
}
