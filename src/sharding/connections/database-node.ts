import type { EntityManager } from 'typeorm';
import type { SqlRow } from '../../common/sql-executor.js';
import { CatalogUnavailableError, GatewayError } from '../../common/gateway-error.js';
import type { ConnectionPool, ConnectionsByTenant, ConnectionSource, PoolUse } from './connection-pool.js';
import { sqlStateOf, toQueryFailedError } from './failure.js';
import type { NodeDataSource } from './node-data-source.js';
import type { PreparedStatement } from './prepared-statement.js';
import { GatheredReads } from './gathered-reads.js';
import type { ParameterValue } from './parameter-values.js';
import { readAlone, type ReadAnswer } from './scoped-read.js';
import type { TenantSession } from './tenant-session.js';
import type { TextResult } from './text-result.js';

/**
 * SQLSTATEs of a prepared statement that the server cannot run any more: a migration changed what it gives,
 * or a proxy put us on another connection. It is parsed anew then.
 */
const STALE_STATEMENT = new Set(['0A000', '26000']);

/** What a node is to its shard. */
export type NodeRole = 'primary' | 'replica';

/** One PostgreSQL server of one shard, as this process reaches it. */
export class DatabaseNode {
  /** `s0` is the primary of shard `s0`; `s0.r1` its first replica. */
  readonly id: string;
  readonly shardId: string;
  readonly role: NodeRole;
  /** Where it is, with the gateway's own login. Holds a password: never to be logged. */
  readonly url: string;
  readonly dataSource: NodeDataSource;
  readonly #pool: ConnectionPool;
  /** The pool's connections, as reads outside of transactions get them. */
  #reads: ConnectionSource;
  readonly #gathered = new GatheredReads(() => this.#reads);
  #logins: ConnectionsByTenant | undefined;

  constructor(
    place: Pick<DatabaseNode, 'id' | 'shardId' | 'role' | 'url'>,
    pool: ConnectionPool,
    dataSource: NodeDataSource,
  ) {
    this.id = place.id;
    this.shardId = place.shardId;
    this.role = place.role;
    this.url = place.url;
    this.dataSource = dataSource;
    this.#pool = pool;
    this.#reads = pool;
  }

  /** Connections of this process that are in use or waited for. */
  get inUse(): number {
    return this.#pool.inUse + (this.#logins?.inUse ?? 0);
  }

  /** How full its pools are, by login; tenants' only when it is known how to log in as them. */
  get pools(): { readonly shared: PoolUse; readonly tenant: PoolUse | undefined } {
    return { shared: this.#pool.use, tenant: this.#logins?.use };
  }

  /** Has reads outside of transactions take their connections through a limit. */
  limitReads(limit: (source: ConnectionSource) => ConnectionSource): void {
    this.#reads = limit(this.#pool);
  }

  /** Says how to log in as tenants; known only when the catalog has said which installation this is. */
  useTenantLogins(logins: ConnectionsByTenant): void {
    this.#logins = logins;
  }

  /**
   * The connections on which a session's statements run.
   *
   * @throws CatalogUnavailableError for a tenant's login, before it is known how to log in
   */
  connections({ login, tenantId, access }: Omit<TenantSession, 'actor'>): ConnectionSource {
    if (login === 'shared') return access === 'read' ? this.#reads : this.#pool;
    if (this.#logins === undefined) throw new CatalogUnavailableError();
    return this.#logins.of(tenantId);
  }

  /** An entity manager held to one tenant; it takes a connection per statement or transaction. */
  session(session: TenantSession, source = this.connections(session)): EntityManager {
    return this.dataSource.createSession(session, source);
  }

  /** One statement in this session, in a transaction of its own, its fields left as text. */
  queryText(session: TenantSession, sql: string, params: readonly unknown[]): Promise<TextResult> {
    return this.dataSource.queryText(session, this.connections(session), sql, params);
  }

  /**
   * Runs a prepared read in the name of a tenant, by itself.
   *
   * @param values of its parameters, see {@link valuesOf}
   */
  read<Row>(
    tenantId: string,
    statement: PreparedStatement<Row>,
    values: readonly ParameterValue[],
  ): Promise<ReadAnswer<Row>> {
    return answered(() => readAlone(this.#reads, tenantId, statement, values));
  }

  /**
   * The same together with those of the same statement that the tenant asks for in this turn of the event loop.
   *
   * @see GatheredReads
   */
  readTogether<Row>(
    tenantId: string,
    statement: PreparedStatement<Row>,
    values: readonly ParameterValue[],
  ): Promise<ReadAnswer<Row>> {
    return answered(() => this.#gathered.read(tenantId, statement, values));
  }

  /** Closes every connection at once; statements under way fail as if the server had gone away. */
  cut(): void {
    this.#pool.cut();
    this.#logins?.cut();
  }

  /** Closes every connection, waiting for those that are in use. */
  async close(): Promise<void> {
    await Promise.all([this.dataSource.destroy(), this.#logins?.end()]);
  }

  /** One statement about the server itself, outside of any tenant. */
  query<Row extends SqlRow = SqlRow>(sql: string, params?: readonly unknown[]): Promise<Row[]> {
    return this.#pool.query<Row>(sql, params);
  }
}

/** What a prepared read answers; it is run once more when the server has forgotten the statement. */
async function answered<Row>(run: () => Promise<ReadAnswer<Row>>): Promise<ReadAnswer<Row>> {
  try {
    return await run().catch((error: unknown) => {
      if (STALE_STATEMENT.has(sqlStateOf(error) ?? '')) return run();
      throw error;
    });
  } catch (error) {
    throw error instanceof GatewayError ? error : toQueryFailedError(error);
  }
}
