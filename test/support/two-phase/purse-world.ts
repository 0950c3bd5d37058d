import { GatewayContext, type CrossShardTransaction } from '../../../src/index.js';
import { SILENT_LOG } from '../../../src/common/log.js';
import { resolveGatewayOptions } from '../../../src/gateway/gateway-options.js';
import { GatewayRuntime } from '../../../src/gateway/gateway-runtime.js';
import type { ShardTransactionsOptions } from '../../../src/gateway/shard-transactions.js';
import type { ClusterConfig } from '../../../src/sharding/cluster/cluster-config.js';
import { CreatePurses1763800000500, Purse, PURSE_TENANT } from './purse.js';

/** Long enough for recovery to do nothing by itself in a test. */
const NEVER_MS = 3_600_000;

/** A gateway process with purses, as the tests of transactions over several shards need it. */
export class PurseGateway {
  readonly runtime: GatewayRuntime;
  #users = 0;

  private constructor(runtime: GatewayRuntime) {
    this.runtime = runtime;
  }

  static async start(
    config: Pick<ClusterConfig, 'catalog' | 'shards'>,
    transactions: ShardTransactionsOptions = {},
  ): Promise<PurseGateway> {
    const options = resolveGatewayOptions({
      ...config,
      pool: { statementTimeoutMs: 10_000, acquireTimeoutMs: 5_000 },
      entities: [Purse],
      migrations: [CreatePurses1763800000500],
    });
    const recovery = { everyMs: NEVER_MS, ...transactions.recovery };
    const hooks = { log: SILENT_LOG, transactions: { ...transactions, recovery } };
    return new PurseGateway(await GatewayRuntime.start(options, hooks));
  }

  /** Runs something in a scope of its own. */
  as<T>(run: () => Promise<T>): Promise<T> {
    return GatewayContext.run({ tenantId: PURSE_TENANT, actor: 'test' }, run);
  }

  /** A new user on this shard, with a purse. */
  async open(shardId: string, units: number): Promise<Purse> {
    const { gateway } = this.runtime;
    let userId: string;
    do {
      this.#users += 1;
      userId = `user-${process.pid}-${this.#users}`;
    } while (gateway.route({ tenantId: PURSE_TENANT, userId }).shardId !== shardId);
    return this.as(() => gateway.repository(Purse).forUser(userId).save({ units }));
  }

  /** Moves units, in one transaction over both users' shards, which are locked first. */
  move(from: Purse, to: Purse, units: number): Promise<void> {
    return this.together([from, to], async (tx) => {
      await tx.lock(Purse, [from.id, to.id]);
      await tx.forUser(from.userId).getRepository(Purse).decrement(from.id, 'units', units);
      await tx.forUser(to.userId).getRepository(Purse).increment(to.id, 'units', units);
    });
  }

  /** One transaction about the owners of these purses. */
  together<T>(purses: readonly Purse[], run: (tx: CrossShardTransaction) => Promise<T>): Promise<T> {
    const userIds = purses.map(({ userId }) => userId);
    return this.as(() => this.runtime.gateway.crossShardTransaction(userIds, run));
  }

  /** What is in them, from the primaries, past the cache. */
  units(...purses: readonly Purse[]): Promise<(number | undefined)[]> {
    const repository = this.runtime.gateway.repository(Purse);
    return this.as(() =>
      Promise.all(
        purses.map(
          async ({ id }) => (await repository.findById(id, { from: 'primary', cache: false }))?.units,
        ),
      ),
    );
  }

  close(): Promise<void> {
    return this.runtime.close();
  }
}
