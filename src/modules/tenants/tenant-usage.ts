import { Injectable } from '@nestjs/common';
import pLimit from 'p-limit';
import { GatewayContext } from '../../common/gateway-context.js';
import { GatewayError } from '../../common/gateway-error.js';
import { GatewayRuntime } from '../../gateway/gateway-runtime.js';

/** What a tenant keeps on one shard. */
export interface ShardUsage {
  readonly shardId: string;
  /** How many accounts of users there are, as a replica knows it; null while the shard is away. */
  readonly accounts: number | null;
}

/** Settlement accounts are the gateway's own and count for nobody. */
const COUNT_ACCOUNTS_SQL = `
  select count(*)::float8 as accounts from finance.accounts where tenant_id = $1 and kind = 'USER'
`;

/** A page of tenants asks every shard for each; more at once would take connections from their requests. */
const CONCURRENT_COUNTS = 4;

/** Counts what tenants keep, per shard. */
@Injectable()
export class TenantUsage {
  readonly #runtime: GatewayRuntime;
  readonly #limit = pLimit(CONCURRENT_COUNTS);

  constructor(runtime: GatewayRuntime) {
    this.#runtime = runtime;
  }

  /** The usage of one tenant on each of its shards. */
  of(tenantId: string): Promise<ShardUsage[]> {
    const { shardIds } = this.#runtime.router.all({ tenantId });
    return Promise.all(shardIds.map((shardId) => this.#limit(() => this.#count(tenantId, shardId))));
  }

  async #count(tenantId: string, shardId: string): Promise<ShardUsage> {
    try {
      const [row] = await GatewayContext.run({ tenantId, actor: 'operator' }, () =>
        this.#runtime.access.read({ shardId }, (manager) =>
          manager.query<{ accounts: number }[]>(COUNT_ACCOUNTS_SQL, [tenantId]),
        ),
      );
      return { shardId, accounts: row?.accounts ?? 0 };
    } catch (error) {
      if (error instanceof GatewayError && error.status === 503) return { shardId, accounts: null };
      throw error;
    }
  }
}
