import { In, type EntityManager, type FindOptionsWhere } from 'typeorm';
import type { SqlRow } from '../common/sql-executor.js';
import type { ShardedEntity } from '../persistence/sharded-entity.js';
import type { SqlRefusal } from './callers-sql.js';
import type { RowOwner } from './row-owner.js';
import type { ShardedEntityClass } from './sharded-entity-class.js';
import { ShardedRepository, type RepositoryRouting } from './sharded-repository.js';
import { withTenant } from './tenant-predicate.js';

/**
 * One transaction on one user's shard. All that goes through it is kept together or not at all, and it
 * reads what it wrote.
 */
export class GatewayTransaction {
  /** Whose shard it is on. */
  readonly owner: RowOwner;
  /** TypeORM's manager of this transaction, held to the tenant. */
  readonly manager: EntityManager;
  readonly #routing: RepositoryRouting;
  readonly #refuseSql: SqlRefusal | undefined;

  /** @param refuseSql where it takes no text that a caller wrote */
  constructor(
    owner: RowOwner,
    manager: EntityManager,
    routing: RepositoryRouting,
    refuseSql: SqlRefusal | undefined,
  ) {
    this.owner = owner;
    this.manager = manager;
    this.#routing = routing;
    this.#refuseSql = refuseSql;
  }

  /** The repository of an entity within this transaction, about the transaction's user. */
  getRepository<T extends ShardedEntity>(entity: ShardedEntityClass<T>): ShardedRepository<T> {
    return new ShardedRepository(entity, this.#routing, () => this.owner);
  }

  /**
   * One statement of the caller's own; the server holds it to the tenant, by the login that it runs on.
   *
   * @throws ScopeConflictError in a transaction that was begun with `{ login: 'shared' }`, or over several shards
   */
  async query<Row extends SqlRow = SqlRow>(sql: string, params: readonly unknown[] = []): Promise<Row[]> {
    if (this.#refuseSql !== undefined) throw this.#refuseSql();
    const answer = await this.manager.query<Row[] | [Row[], number]>(sql, [...params]);
    // TypeORM answers UPDATE and DELETE with rows and count; here rows are rows.
    return Array.isArray(answer[0]) ? answer[0] : (answer as Row[]);
  }

  /**
   * Reads rows and locks them until the transaction ends (`FOR UPDATE`), always in the order of their ids,
   * so that two transactions that lock the same rows never wait for each other.
   *
   * @returns the rows that exist, in the order of their ids
   */
  lock<T extends ShardedEntity>(entity: ShardedEntityClass<T>, ids: readonly string[]): Promise<T[]> {
    const where = withTenant<T>({ id: In([...ids]) } as FindOptionsWhere<T>, this.owner);
    return this.manager
      .createQueryBuilder(entity, 'locked')
      .setFindOptions({ where })
      .orderBy('locked.id', 'ASC')
      .setLock('pessimistic_write')
      .getMany();
  }
}
