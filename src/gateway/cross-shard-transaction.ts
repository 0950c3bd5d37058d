import { ScopeConflictError } from '../common/gateway-error.js';
import type { ShardedEntity } from '../persistence/sharded-entity.js';
import { refuseAcrossShards } from './callers-sql.js';
import { GatewayTransaction } from './gateway-transaction.js';
import type { RowOwner } from './row-owner.js';
import { transactionChannel } from './rows-channel.js';
import type { ShardedEntityClass } from './sharded-entity-class.js';
import { ShardedRepository, type RepositoryRouting } from './sharded-repository.js';
import type { TransactionPart } from './transaction-part.js';

/**
 * One transaction over the shards of several users. All that goes through it is kept on all of them, or nothing
 * anywhere, whatever fails. Users of one shard share one part.
 */
export class CrossShardTransaction {
  readonly #owners: ReadonlyMap<string, RowOwner>;
  readonly #parts: ReadonlyMap<string, TransactionPart>;
  readonly #routing: RepositoryRouting;

  /**
   * @param owners the users that it is about, by their ids
   * @param parts by shard, in the order of the shards' ids
   */
  constructor(
    owners: ReadonlyMap<string, RowOwner>,
    parts: ReadonlyMap<string, TransactionPart>,
    routing: RepositoryRouting,
  ) {
    this.#owners = owners;
    this.#parts = parts;
    this.#routing = {
      ...routing,
      // It reads what it wrote.
      keptById: () => undefined,
      channel: (owner) => transactionChannel(this.#partOf(owner.shardId).manager, owner, refuseAcrossShards),
    };
  }

  /**
   * The part of the transaction on this user's shard. It takes no SQL of callers.
   *
   * @throws ScopeConflictError for a user who was not named when it began
   */
  forUser(userId: string): GatewayTransaction {
    const owner = this.#owners.get(userId);
    if (owner === undefined) {
      throw new ScopeConflictError(
        'The transaction is not about this user; name every user when calling crossShardTransaction.',
      );
    }
    const { manager } = this.#partOf(owner.shardId);
    return new GatewayTransaction(owner, manager, this.#routing, refuseAcrossShards);
  }

  /** The repository of an entity within this transaction: `forUser` and `findById` find the shard. */
  getRepository<T extends ShardedEntity>(entity: ShardedEntityClass<T>): ShardedRepository<T> {
    return new ShardedRepository(entity, this.#routing);
  }

  /**
   * Reads rows of any of its shards and locks them until it ends, in the order of shards and ids, so that two
   * transactions that lock the same rows first thing never wait for each other.
   *
   * @returns the rows that exist, in the order of shards and ids
   * @throws ValidationError when one is no id of a gateway
   */
  async lock<T extends ShardedEntity>(entity: ShardedEntityClass<T>, ids: readonly string[]): Promise<T[]> {
    const owned = ids.map((id) => ({ id, owner: this.#routing.ownerOfId(id) }));
    const rows: T[] = [];
    for (const shardId of [...new Set(owned.map(({ owner }) => owner.shardId))].sort()) {
      const ofShard = owned.filter(({ owner }) => owner.shardId === shardId);
      const [first] = ofShard;
      if (first === undefined) continue;
      const part = new GatewayTransaction(
        first.owner,
        this.#partOf(shardId).manager,
        this.#routing,
        refuseAcrossShards,
      );
      rows.push(
        ...(await part.lock(
          entity,
          ofShard.map(({ id }) => id),
        )),
      );
    }
    return rows;
  }

  #partOf(shardId: string): TransactionPart {
    const part = this.#parts.get(shardId);
    if (part === undefined) {
      throw new ScopeConflictError(
        'The row is on a shard that the transaction has no part on; name its user when calling crossShardTransaction.',
      );
    }
    return part;
  }
}
