import pg from 'pg';
import { DataSource, type EntityManager, type EntitySchema, type QueryRunner } from 'typeorm';
import { PostgresDriver } from 'typeorm/driver/postgres/PostgresDriver.js';
import { GatewayContext } from '../../common/gateway-context.js';
import { GatewayError } from '../../common/gateway-error.js';
import type { ConnectionPool, ConnectionSource } from './connection-pool.js';
import { toQueryFailedError } from './failure.js';
import { TenantQueryRunner } from './tenant-query-runner.js';
import type { TenantSession, TransactionWatch } from './tenant-session.js';
import type { TextResult } from './text-result.js';

/** A class or schema that TypeORM knows as an entity. */
export type EntityClass = (abstract new (...args: never[]) => unknown) | EntitySchema;

/** The oldest server that is supported; TypeORM asks the driver for features by version. */
const OLDEST_SERVER_VERSION = '15.0';

/**
 * TypeORM's data source of one node. It needs no server to be there when it is made: TypeORM's own start
 * connects first, and one dead replica would then keep a whole gateway from starting. Every query runner
 * that it makes is held to a tenant.
 */
export class NodeDataSource extends DataSource {
  readonly #pool: ConnectionPool;
  readonly #tenantLogin: (tenantId: string) => ConnectionSource;
  readonly #access: 'read' | 'write';
  #watch: ((tenantId: string) => TransactionWatch) | undefined;

  /** @param tenantLogin gives the connections that are logged in as a tenant */
  constructor(
    pool: ConnectionPool,
    tenantLogin: (tenantId: string) => ConnectionSource,
    access: 'read' | 'write',
    entities: readonly EntityClass[],
  ) {
    super({
      type: 'postgres',
      driver: pg,
      entities: [...entities] as never[],
      installExtensions: false,
      synchronize: false,
      logging: false,
    });
    this.#pool = pool;
    this.#tenantLogin = tenantLogin;
    this.#access = access;
  }

  /** Says who follows the transactions of `@InjectDataSource` users, from now on. */
  watchTransactions(watch: (tenantId: string) => TransactionWatch): void {
    this.#watch = watch;
  }

  /** Builds the entities' metadata; connections are made when statements need them. */
  override async initialize(): Promise<this> {
    const driver = this.#postgresDriver();
    driver.version = OLDEST_SERVER_VERSION;
    driver.isGeneratedColumnsSupported = true;
    driver.searchSchema = 'public';
    driver.schema = 'public';
    Object.assign(this, { isInitialized: true });
    await this.buildMetadatas();
    return this;
  }

  override async destroy(): Promise<void> {
    if (!this.isInitialized) return;
    Object.assign(this, { isInitialized: false });
    await this.#pool.end();
  }

  /**
   * A query runner for the tenant in scope: what `@InjectDataSource` users get.
   *
   * @throws ScopeMissingError outside of `GatewayContext.run`
   */
  override createQueryRunner(): QueryRunner {
    const { tenantId, actor } = GatewayContext.require();
    const watch = this.#watch;
    const session: TenantSession = {
      tenantId,
      actor,
      access: this.#access,
      login: 'tenant',
      ...(this.#access === 'write' && watch !== undefined && { watch: () => watch(tenantId) }),
    };
    return this.#runner(session, this.#tenantLogin(tenantId));
  }

  /** An entity manager whose every statement runs in this session. It holds no connection by itself. */
  createSession(session: TenantSession, source: ConnectionSource): EntityManager {
    return this.#runner(session, source).manager;
  }

  /** One statement in this session, in a transaction of its own, its fields left as text. */
  async queryText(
    session: TenantSession,
    source: ConnectionSource,
    sql: string,
    params: readonly unknown[],
  ): Promise<TextResult> {
    try {
      return await this.#runner(session, source).queryText(sql, params);
    } catch (error) {
      throw error instanceof GatewayError ? error : toQueryFailedError(error);
    }
  }

  #runner(session: TenantSession, source: ConnectionSource): TenantQueryRunner {
    const runner = new TenantQueryRunner(this.#postgresDriver(), source, session);
    return Object.assign(runner, { manager: this.createEntityManager(runner) });
  }

  #postgresDriver(): PostgresDriver {
    if (!(this.driver instanceof PostgresDriver)) throw new TypeError('The driver is not for PostgreSQL.');
    return this.driver;
  }
}
