import {
  EntityNotFoundError,
  type DeepPartial,
  type DeleteResult,
  type EntityManager,
  type FindManyOptions,
  type FindOptionsWhere,
  type InsertResult,
  type ObjectLiteral,
  type QueryDeepPartialEntity,
  type SaveOptions,
  type SelectQueryBuilder,
  type UpdateResult,
} from 'typeorm';
import { ScopeConflictError, ValidationError } from '../common/gateway-error.js';
import type { ShardedEntity } from '../persistence/sharded-entity.js';
import type { IdMint } from '../sharding/topology/id-mint.js';
import { type AllShardsRepository } from './all-shards-repository.js';
import {
  onlyIdOf,
  saysOnlyWhere,
  scoped,
  type RepositoryFind,
  type RepositoryFindOne,
} from './find-options.js';
import { stampOwner, type RowOwner } from './row-owner.js';
import type { RowsChannel } from './rows-channel.js';
import type { ReadOptions } from './shard-reads.js';
import type { ShardedEntityClass } from './sharded-entity-class.js';
import { criteriaWithTenant, restrictBuilder, type RowCriteria } from './tenant-predicate.js';

/** Columns that say whose row it is: set once, by the gateway. */
const IDENTITY_COLUMNS = ['tenantId', 'id', 'userId', 'bucket'] as const;

/** How a repository finds out whose rows are meant, and reaches them. */
export interface RepositoryRouting {
  /** The user of the scope. @throws ScopeMissingError without one */
  currentOwner(): RowOwner;
  /** A user of the tenant in scope. */
  ownerOf(userId: string): RowOwner;
  /** The owner of the row of this id, as far as the id tells: bucket and shard. */
  ownerOfId(id: string): RowOwner;
  /**
   * The row of an id from the cache, or null where there is none, without a route; undefined where the cache
   * cannot tell.
   */
  keptById<T extends ShardedEntity>(
    entity: ShardedEntityClass<T>,
    id: string,
    options: ReadOptions,
  ): T | null | undefined;
  /** How statements about an owner's rows are sent. */
  channel(owner: RowOwner): RowsChannel;
  /** Reads over all shards; not to be had within a transaction, which is on one. */
  acrossShards<T extends ShardedEntity>(entity: ShardedEntityClass<T>): AllShardsRepository<T>;
  readonly ids: IdMint;
}

/**
 * The rows of one entity, with the methods and semantics of TypeORM's `Repository`. Without `forUser` it is
 * about the rows of the user in scope. Every statement names the tenant, and the database holds it to that.
 *
 * @example
 * ```ts
 * constructor(@InjectShardedRepository(Invoice) private readonly invoices: ShardedRepository<Invoice>) {}
 * const open = await this.invoices.find({ where: { paid: false }, order: { id: 'ASC' }, take: 20 });
 * ```
 */
export class ShardedRepository<T extends ShardedEntity> {
  readonly #entity: ShardedEntityClass<T>;
  readonly #routing: RepositoryRouting;
  readonly #owner: () => RowOwner;

  constructor(
    entity: ShardedEntityClass<T>,
    routing: RepositoryRouting,
    owner: () => RowOwner = () => routing.currentOwner(),
  ) {
    this.#entity = entity;
    this.#routing = routing;
    this.#owner = owner;
  }

  /** The same repository about the rows of this user, whoever is in scope. */
  forUser(userId: string): ShardedRepository<T> {
    return new ShardedRepository(this.#entity, this.#routing, () => this.#routing.ownerOf(userId));
  }

  /** Reads over the rows of all of the tenant's users, on all shards. */
  onAllShards(): AllShardsRepository<T> {
    return this.#routing.acrossShards(this.#entity);
  }

  /**
   * The row of this id, of whichever of the tenant's users; the id alone says where it is.
   *
   * @throws ValidationError when it is not an id of a gateway
   */
  findById(id: string, options: Omit<RepositoryFindOne<T>, 'where'> = {}): Promise<T | null> {
    try {
      const isPlain = saysOnlyWhere(options);
      const kept = isPlain ? this.#routing.keptById(this.#entity, id, options) : undefined;
      if (kept !== undefined) return Promise.resolve(kept);
      const owner = this.#routing.ownerOfId(id);
      const channel = this.#routing.channel(owner);
      if (isPlain) return channel.findById(this.#entity, id.toLowerCase(), options);
      const where = { id: id.toLowerCase() } as FindOptionsWhere<T>;
      return channel.findOne(this.#entity, scoped({ ...options, where }, owner), options);
    } catch (error) {
      return rejected(error);
    }
  }

  /** @see Repository.find */
  find(options: RepositoryFind<T> = {}): Promise<T[]> {
    return attempt(() => {
      const owner = this.#owner();
      return this.#routing.channel(owner).find(this.#entity, scoped(options, owner), options);
    });
  }

  /** @see Repository.findBy */
  findBy(where: FindOptionsWhere<T> | FindOptionsWhere<T>[], options: ReadOptions = {}): Promise<T[]> {
    return this.find({ where, ...options });
  }

  /** @see Repository.findOne */
  findOne(options: RepositoryFindOne<T>): Promise<T | null> {
    return attempt(() => {
      const owner = this.#owner();
      const channel = this.#routing.channel(owner);
      const id = saysOnlyWhere(options) ? onlyIdOf(options.where) : undefined;
      if (id !== undefined) return channel.findById(this.#entity, id, options);
      return channel.findOne(this.#entity, scoped(options, owner), options);
    });
  }

  /** @see Repository.findOneBy */
  findOneBy(
    where: FindOptionsWhere<T> | FindOptionsWhere<T>[],
    options: ReadOptions = {},
  ): Promise<T | null> {
    return this.findOne({ where, ...options });
  }

  /** @see Repository.findOneOrFail @throws EntityNotFoundError of TypeORM when there is none */
  async findOneOrFail(options: RepositoryFindOne<T>): Promise<T> {
    const row = await this.findOne(options);
    // TypeORM's error prints the criteria; they are a caller's values and stay out of messages.
    if (row === null) throw new EntityNotFoundError(this.#entity, undefined);
    return row;
  }

  /** @see Repository.findOneByOrFail @throws EntityNotFoundError of TypeORM when there is none */
  findOneByOrFail(where: FindOptionsWhere<T> | FindOptionsWhere<T>[], options: ReadOptions = {}): Promise<T> {
    return this.findOneOrFail({ where, ...options });
  }

  /** @see Repository.findAndCount */
  findAndCount(options: RepositoryFind<T> = {}): Promise<[T[], number]> {
    return this.#read((manager, find) => manager.findAndCount(this.#entity, find), options);
  }

  /** @see Repository.count */
  count(options: RepositoryFind<T> = {}): Promise<number> {
    return this.#read((manager, find) => manager.count(this.#entity, find), options);
  }

  /** @see Repository.countBy */
  countBy(where: FindOptionsWhere<T> | FindOptionsWhere<T>[], options: ReadOptions = {}): Promise<number> {
    return this.count({ where, ...options });
  }

  /** @see Repository.exists */
  exists(options: RepositoryFind<T> = {}): Promise<boolean> {
    return this.#read((manager, find) => manager.exists(this.#entity, find), options);
  }

  /** @see Repository.existsBy */
  existsBy(where: FindOptionsWhere<T> | FindOptionsWhere<T>[], options: ReadOptions = {}): Promise<boolean> {
    return this.exists({ where, ...options });
  }

  /** A new entity object with these properties; nothing is written. @see Repository.create */
  create(plain: DeepPartial<T> = {} as DeepPartial<T>): T {
    return this.#routing.channel(this.#owner()).builderManager().create(this.#entity, plain);
  }

  /**
   * Inserts or updates, cascades included, in one transaction. @see Repository.save
   *
   * @throws ScopeConflictError for a row of another tenant or user
   */
  save<E extends DeepPartial<T>>(row: E, options?: SaveOptions): Promise<E & T>;
  save<E extends DeepPartial<T>>(rows: E[], options?: SaveOptions): Promise<(E & T)[]>;
  async save(rows: DeepPartial<T> | DeepPartial<T>[], options: SaveOptions = {}): Promise<unknown> {
    const owner = this.#owner();
    for (const row of listOf(rows)) stampOwner(row, owner, this.#routing.ids);
    return this.#routing
      .channel(owner)
      .write((manager) => manager.save(this.#entity, rows as DeepPartial<T>, options), rows);
  }

  /** @see Repository.insert */
  async insert(rows: QueryDeepPartialEntity<T> | QueryDeepPartialEntity<T>[]): Promise<InsertResult> {
    const owner = this.#owner();
    for (const row of listOf(rows)) stampOwner(row, owner, this.#routing.ids);
    return this.#routing.channel(owner).write((manager) => manager.insert(this.#entity, rows), rows);
  }

  /**
   * @see Repository.upsert
   * @param conflictPaths columns of a unique index; the tenant, which begins every such index, is added
   */
  async upsert(
    rows: QueryDeepPartialEntity<T> | QueryDeepPartialEntity<T>[],
    conflictPaths: readonly string[],
  ): Promise<InsertResult> {
    const owner = this.#owner();
    for (const row of listOf(rows)) stampOwner(row, owner, this.#routing.ids);
    const paths = [...new Set(['tenantId', ...conflictPaths])];
    return this.#routing.channel(owner).write((manager) => manager.upsert(this.#entity, rows, paths), rows);
  }

  /** @see Repository.update @throws ScopeConflictError when it would change whose row it is */
  async update(criteria: RowCriteria<T>, changes: QueryDeepPartialEntity<T>): Promise<UpdateResult> {
    const fixed = IDENTITY_COLUMNS.find((column) => column in changes);
    if (fixed !== undefined) {
      throw new ScopeConflictError(`An update cannot change ${fixed}; leave it out.`);
    }
    return this.#write(criteria, (manager, where) => manager.update(this.#entity, where, changes), changes);
  }

  /** @see Repository.delete */
  delete(criteria: RowCriteria<T>): Promise<DeleteResult> {
    return this.#write(criteria, (manager, where) => manager.delete(this.#entity, where));
  }

  /** @see Repository.softDelete */
  softDelete(criteria: RowCriteria<T>): Promise<UpdateResult> {
    return this.#write(criteria, (manager, where) => manager.softDelete(this.#entity, where));
  }

  /** @see Repository.restore */
  restore(criteria: RowCriteria<T>): Promise<UpdateResult> {
    return this.#write(criteria, (manager, where) => manager.restore(this.#entity, where));
  }

  /** Adds to a column in the database. @see Repository.increment */
  async increment(criteria: RowCriteria<T>, column: string, by: number | string): Promise<UpdateResult> {
    assertAmount(by);
    return this.#write(criteria, (manager, where) =>
      manager.increment(this.#entity, anyOf(where), column, by),
    );
  }

  /** Subtracts from a column in the database. @see Repository.decrement */
  async decrement(criteria: RowCriteria<T>, column: string, by: number | string): Promise<UpdateResult> {
    assertAmount(by);
    return this.#write(criteria, (manager, where) =>
      manager.decrement(this.#entity, anyOf(where), column, by),
    );
  }

  /**
   * A query builder that is held to the tenant and the user whatever conditions are set. It reads from a
   * replica; for `update()` and `delete()` ask for `{ from: 'primary' }`.
   */
  createQueryBuilder(alias: string, options: ReadOptions = {}): SelectQueryBuilder<T> {
    const owner = this.#owner();
    const manager = this.#routing.channel(owner).builderManager(options);
    return restrictBuilder(manager.createQueryBuilder(this.#entity, alias), owner);
  }

  async #read<R>(
    run: (manager: EntityManager, find: FindManyOptions<T>) => Promise<R>,
    options: RepositoryFind<T>,
  ): Promise<R> {
    const owner = this.#owner();
    const find = scoped(options, owner);
    return this.#routing.channel(owner).read((manager) => run(manager, find), find, options);
  }

  async #write<R>(
    criteria: RowCriteria<T>,
    run: (manager: EntityManager, where: FindOptionsWhere<T>[]) => Promise<R>,
    changes?: QueryDeepPartialEntity<T>,
  ): Promise<R> {
    const owner = this.#owner();
    const where = criteriaWithTenant(criteria, owner);
    return this.#routing.channel(owner).write((manager) => run(manager, where), [criteria, changes]);
  }
}

/** What `start` throws becomes a rejection; an async function would cost the hot path two promises more. */
function attempt<R>(start: () => Promise<R>): Promise<R> {
  try {
    return start();
  } catch (error) {
    return rejected(error);
  }
}

function rejected(error: unknown): Promise<never> {
  return Promise.reject(error instanceof Error ? error : new TypeError('The call failed.', { cause: error }));
}

/** TypeORM writes it into the statement: an object could be a number when it looks and text when it writes. */
function assertAmount(by: unknown): void {
  if (typeof by === 'number' || typeof by === 'string') return;
  throw new ValidationError([{ path: 'by', message: 'must be a number or a decimal string' }]);
}

function listOf(rows: object): readonly ObjectLiteral[] {
  return Array.isArray(rows) ? (rows as ObjectLiteral[]) : [rows];
}

/** TypeORM takes alternatives here as everywhere; only its types of these two methods do not say so. */
function anyOf<T>(alternatives: FindOptionsWhere<T>[]): FindOptionsWhere<T> {
  return alternatives as unknown as FindOptionsWhere<T>;
}
