import { randomBytes } from 'node:crypto';
import { BucketHasher } from '../../src/sharding/topology/bucket.js';
import { mintId, RANDOM_BYTES_PER_ID } from '../../src/sharding/topology/gateway-id.js';
import { ShardMap } from '../../src/sharding/topology/shard-map.js';
import { BenchAccount } from './bench-account.js';

/** Makes up accounts as the gateway would: each belongs to a user, who decides on its shard and its id. */
export class AccountMaker {
  readonly #hasher: BucketHasher;
  readonly #map: ShardMap;

  private constructor(hasher: BucketHasher, map: ShardMap) {
    this.#hasher = hasher;
    this.#map = map;
  }

  /** For these shards, as a gateway maps users to them that has just been installed. */
  static async of(shardIds: readonly string[]): Promise<AccountMaker> {
    return new AccountMaker(await BucketHasher.create(), ShardMap.initial(shardIds));
  }

  /** The account of this number, and where it belongs; nothing is written. */
  make(tenantId: string, number: number): { readonly shardId: string; readonly account: BenchAccount } {
    const userId = `user-${number}`;
    const bucket = this.#hasher.bucketOf(tenantId, userId);
    const id = mintId(bucket, Date.now(), randomBytes(RANDOM_BYTES_PER_ID));
    const shardId = this.#map.shardOf({ tenantId, bucket });
    return { shardId, account: new BenchAccount({ tenantId, userId, bucket, id }, number) };
  }
}
