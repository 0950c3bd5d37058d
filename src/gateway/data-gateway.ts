import { GatewayContext } from '../common/gateway-context.js';
import { GatewayError, ScopeMissingError, ValidationError } from '../common/gateway-error.js';
import { USER_ID_PATTERN } from '../common/identifiers.js';
import type { SqlRow } from '../common/sql-executor.js';
import type { ShardedEntity } from '../persistence/sharded-entity.js';
import { sqlStateOf } from '../sharding/connections/failure.js';
import type { Router } from '../sharding/routing/router.js';
import { fanOut } from '../sharding/scatter-gather/fan-out.js';
import type { IdMint } from '../sharding/topology/id-mint.js';
import { AllShardsRepository } from './all-shards-repository.js';
import type { CachedReads } from './cached-reads.js';
import { loginFor, refuseOnSharedLogin } from './callers-sql.js';
import type { CompiledFinds } from './compiled-finds.js';
import { CrossShardTransaction } from './cross-shard-transaction.js';
import { GatewayTransaction } from './gateway-transaction.js';
import type { RowOwner } from './row-owner.js';
import { StatementChannel, transactionChannel } from './rows-channel.js';
import type { ShardAccess } from './shard-access.js';
import type { ReadOptions } from './shard-reads.js';
import type { ShardedEntityClass } from './sharded-entity-class.js';
import { ShardedRepository, type RepositoryRouting } from './sharded-repository.js';
import type { SnapshotReader } from './snapshot-reader.js';
import type { SnapshotOptions, Snapshots } from './snapshots.js';
import type { TransactionPart } from './transaction-part.js';

/** Where a raw statement goes: to a user's shard, to one shard, or to every shard of the tenant. */
export type QueryTarget =
  { readonly userId: string } | { readonly shardId: string } | { readonly allShards: true };

/** What a transaction is about, and how isolated it is. */
export interface TransactionOptions {
  /** The user whose shard it runs on. Default: the user in scope. */
  readonly userId?: string;
  /** Default: the server's, READ COMMITTED. */
  readonly isolation?: 'READ COMMITTED' | 'REPEATABLE READ' | 'SERIALIZABLE';
  /**
   * Whose connections it uses. Default: `tenant`, one that is logged in as the tenant, so that any SQL may
   * run in it. With `shared` it uses the gateway's own, of which there are more; then `tx.query` is refused,
   * and whoever gives text to `tx.manager` vouches for it.
   */
  readonly login?: 'shared' | 'tenant';
}

/** How a raw statement may be answered. */
export interface QueryOptions extends ReadOptions {
  /**
   * The tables that the answer is made of, as `schema.table`, and of nothing else: no clock, no random values, no
   * view of other tables. With them the cache may keep it, until a row of theirs changes. Without, it is asked of a
   * database each time.
   */
  readonly tables?: readonly string[];
}

/** Shards asked at once by one raw statement, and how long it may take in all. */
const QUERY_FAN_OUT = { concurrency: 16, deadlineMs: 30_000 };

/** SQLSTATE of a write in a read-only transaction. */
const READ_ONLY_TRANSACTION = '25006';

/** SQLSTATEs of a statement that waited too long for a lock, or whose wait was a deadlock. */
const LOCK_FAILURES = new Set(['55P03', '40P01']);

/** Statements that may well only read; the server decides, in a read-only transaction. */
const MAY_ONLY_READ = /^\s*(select|with|table|values|show|explain)\b/i;

/**
 * The gateway itself: raw SQL, transactions and routes, in the tenant of the current scope. Repositories of
 * entities come from it too.
 */
export class DataGateway {
  readonly #access: ShardAccess;
  readonly #reads: CachedReads;
  readonly #finds: CompiledFinds;
  readonly #router: Router;
  readonly #ids: IdMint;
  readonly #snapshots: Snapshots;

  constructor(
    access: ShardAccess,
    reads: CachedReads,
    finds: CompiledFinds,
    {
      router,
      ids,
      snapshots,
    }: { readonly router: Router; readonly ids: IdMint; readonly snapshots: Snapshots },
  ) {
    this.#access = access;
    this.#reads = reads;
    this.#finds = finds;
    this.#router = router;
    this.#ids = ids;
    this.#snapshots = snapshots;
  }

  /** Where a user's rows are. */
  route({ tenantId, userId }: { tenantId: string; userId: string }): { bucket: number; shardId: string } {
    const { bucket, shardId } = this.#router.forUser({ tenantId, userId });
    return { bucket, shardId };
  }

  /** A new id for a row of this user, as the gateway mints them: it carries the user's bucket. */
  mintId(userId: string): string {
    return this.#ids.mint(this.#ownerOf(userId).bucket);
  }

  /** The repository of an entity; `@InjectShardedRepository` gives the same. */
  repository<T extends ShardedEntity>(entity: ShardedEntityClass<T>): ShardedRepository<T> {
    return new ShardedRepository(entity, this.#routing());
  }

  /** Reads of an entity over the tenant's shards, or over one user's. */
  list<T extends ShardedEntity>(
    entity: ShardedEntityClass<T>,
    { userId }: { readonly userId?: string | undefined } = {},
  ): AllShardsRepository<T> {
    return new AllShardsRepository(entity, {
      userId,
      tenantId: () => GatewayContext.require().tenantId,
      shardIds: () =>
        userId === undefined
          ? this.#router.all(GatewayContext.require()).shardIds
          : [this.#ownerOf(userId).shardId],
      read: (shardId, run, given, options) =>
        this.#reads.readThrough({ shardId, userId, login: loginFor(given) }, run, options),
      page: (shardId, page, options) => this.#finds.page({ shardId, userId }, entity, page, options),
      metadata: () => this.#finds.metadata(entity),
    });
  }

  /**
   * Runs `fn` in one transaction on a user's shard: committed when it resolves, rolled back when it rejects.
   *
   * @throws ShardUnavailableError when the primary is away, or goes away in between
   */
  async transaction<T>(
    { userId, ...options }: TransactionOptions,
    fn: (tx: GatewayTransaction) => Promise<T>,
  ): Promise<T> {
    const owner = userId === undefined ? this.#currentOwner() : this.#ownerOf(userId);
    return this.#inTransaction(owner, options, fn);
  }

  /** Runs `fn` in one transaction on the shard of the row with this id, of whichever user. */
  async transactionOnRow<T>(
    id: string,
    options: Omit<TransactionOptions, 'userId'>,
    fn: (tx: GatewayTransaction) => Promise<T>,
  ): Promise<T> {
    return this.#inTransaction(this.#ownerOfId(id), options, fn);
  }

  /**
   * Runs `fn` in one transaction over the shards of these users: kept on all of them when it resolves, nowhere when
   * it rejects, whatever servers and processes fail meanwhile. Users of one shard have one ordinary transaction.
   * It runs on the gateway's own login and takes no SQL of callers.
   *
   * @throws GatewayError `rows_locked` when it waited too long for another transaction; `two_phase_unavailable`
   *   where a server cannot prepare transactions
   * @throws ShardUnavailableError when a primary is away; its message says whether it is known that nothing was kept
   *
   * @example
   * ```ts
   * await gateway.crossShardTransaction([seller, buyer], async (tx) => {
   *   await tx.forUser(seller).getRepository(Invoice).update(id, { paid: true });
   *   await tx.forUser(buyer).getRepository(Receipt).insert({ invoiceId: id });
   * });
   * ```
   */
  async crossShardTransaction<T>(
    userIds: readonly string[],
    fn: (tx: CrossShardTransaction) => Promise<T>,
  ): Promise<T> {
    const owners = new Map(userIds.map((userId) => [userId, this.#ownerOf(userId)]));
    if (owners.size === 0) {
      throw new ScopeMissingError(
        'The transaction names no user; give the ids of all whose rows it is about.',
      );
    }
    const parts = new Map<string, TransactionPart>();
    try {
      // In this order always, and so are connections: nobody holds one who waits for somebody with the other.
      for (const shardId of [...new Set([...owners.values()].map((owner) => owner.shardId))].sort()) {
        const users = userIds.filter((userId) => owners.get(userId)?.shardId === shardId);
        parts.set(shardId, await this.#access.writes.beginPart(shardId, users));
      }
      const result = await fn(new CrossShardTransaction(owners, parts, this.#routing()));
      for (const part of parts.values()) part.assertWhole();
      await this.#access.writes.commitTogether([...parts.values()].map((part) => part.handOver()));
      return result;
    } catch (error) {
      const lost = [...parts.values()].filter(({ isLost }) => isLost).map(({ shardId }) => shardId);
      await Promise.all([...parts.values()].map((part) => part.undo()));
      throw lockFailure(this.#access.writes.partFailure(lost, error));
    }
  }

  /**
   * Runs `fn` on one consistent cut through all of the tenant's shards, on their primaries: of a transaction over
   * several shards it sees all or nothing, and all of its reads see the same moment.
   *
   * @throws ShardUnavailableError when a shard is away, or a transaction stays in doubt until the deadline
   *
   * @example
   * ```ts
   * const rows = await gateway.snapshot((reader) => reader.query('SELECT sum(total) AS total FROM billing.invoices'));
   * ```
   */
  snapshot<T>(fn: (reader: SnapshotReader) => Promise<T>, options: SnapshotOptions = {}): Promise<T> {
    const { shardIds } = this.#router.all(GatewayContext.require());
    return this.#snapshots.read([...shardIds].sort(), options, fn);
  }

  /**
   * Runs one raw statement in the tenant of the scope. Rows of several shards are concatenated. What reads
   * goes to a replica in a read-only transaction, what writes to the primary; a SELECT that writes must say
   * `{ from: 'primary' }`.
   */
  async query<Row extends SqlRow = SqlRow>(
    sql: string,
    params: readonly unknown[],
    target: QueryTarget,
    { tables, ...options }: QueryOptions = {},
  ): Promise<Row[]> {
    const reads = MAY_ONLY_READ.test(sql) && options.from !== 'primary';
    const userId = 'userId' in target ? target.userId : undefined;
    const run = async (shardId: string): Promise<Row[]> => {
      const call = { shardId, userId, login: 'tenant' } as const;
      if (reads && tables !== undefined) {
        return (await this.#reads.readRaw(call, { sql, params, tables }, options)) as Row[];
      }
      const rows = reads
        ? await this.#access.read(call, (manager) => manager.query<Row[]>(sql, [...params]), options)
        : await this.#access.write(call, (manager) =>
            manager.query<Row[] | [Row[], number]>(sql, [...params]),
          );
      return Array.isArray(rows[0]) ? rows[0] : (rows as Row[]);
    };
    try {
      const { results } = await fanOut(this.#shardsOf(target), run, QUERY_FAN_OUT);
      return [...results.values()].flat();
    } catch (error) {
      if (sqlStateOf(error) !== READ_ONLY_TRANSACTION) throw error;
      throw new ValidationError([
        { path: '', message: "the statement writes; run it with { from: 'primary' }" },
      ]);
    }
  }

  #shardsOf(target: QueryTarget): readonly string[] {
    if ('userId' in target) return [this.#ownerOf(target.userId).shardId];
    const tenantShards = this.#router.all(GatewayContext.require()).shardIds;
    if ('allShards' in target) return tenantShards;
    if (!tenantShards.includes(target.shardId)) {
      throw new ValidationError([{ path: 'shardId', message: 'is not a shard of this tenant' }]);
    }
    return [target.shardId];
  }

  #inTransaction<T>(
    owner: RowOwner,
    { isolation, login = 'tenant' }: Omit<TransactionOptions, 'userId'>,
    fn: (tx: GatewayTransaction) => Promise<T>,
  ): Promise<T> {
    const call = { shardId: owner.shardId, userId: owner.userId, login };
    const refuseSql = login === 'shared' ? refuseOnSharedLogin : undefined;
    return this.#access.write(call, (outer) => {
      const run = (manager: typeof outer): Promise<T> => {
        const routing = {
          ...this.#routing(),
          // It reads what it wrote.
          keptById: () => undefined,
          channel: (rowOwner: RowOwner) => transactionChannel(manager, rowOwner, refuseSql),
        };
        return fn(new GatewayTransaction(owner, manager, routing, refuseSql));
      };
      return isolation === undefined ? outer.transaction(run) : outer.transaction(isolation, run);
    });
  }

  #routing(): RepositoryRouting {
    return {
      ids: this.#ids,
      currentOwner: () => this.#currentOwner(),
      ownerOf: (userId) => this.#ownerOf(userId),
      ownerOfId: (id) => this.#ownerOfId(id),
      keptById: (entity, id, options) => this.#finds.keptById(entity, id, options),
      channel: (owner) => new StatementChannel(this.#access, this.#reads, this.#finds, owner),
      acrossShards: (entity) => this.list(entity),
    };
  }

  #currentOwner(): RowOwner {
    return this.#ownerOf(GatewayContext.requireUserId());
  }

  #ownerOf(userId: string): RowOwner {
    const { tenantId } = GatewayContext.require();
    if (typeof userId !== 'string') {
      throw new ScopeMissingError('The call names no user; give the id of the user whose rows are meant.');
    }
    if (!USER_ID_PATTERN.test(userId)) {
      throw new ValidationError([{ path: 'userId', message: `must match ${USER_ID_PATTERN.source}` }]);
    }
    return { tenantId, userId, ...this.route({ tenantId, userId }) };
  }

  #ownerOfId(id: string): RowOwner {
    const { tenantId } = GatewayContext.require();
    const { bucket, shardId } = this.#router.forId({ tenantId, id });
    return { tenantId, userId: undefined, bucket, shardId };
  }
}

function lockFailure(error: unknown): unknown {
  if (!LOCK_FAILURES.has(sqlStateOf(error) ?? '')) return error;
  return new GatewayError(
    'rows_locked',
    'Another transaction has locked rows that this one needs, and did not end in time. Nothing was kept; try again.',
    { cause: error, retryAfterSeconds: 1 },
  );
}
