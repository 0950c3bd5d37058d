import { Injectable } from '@nestjs/common';
import { GatewayContext } from '../../common/gateway-context.js';
import { GatewayError } from '../../common/gateway-error.js';
import { DataGateway } from '../../gateway/data-gateway.js';
import { addUp, SHARD_BALANCES_SQL, type ShardBalancesRow } from './balance-sums.js';
import { balancesViewOf, type BalancesView } from './balances-view.js';

/** What a report of balances is about. */
export interface BalancesQuestion {
  /** ISO 4217 code. Default: all currencies that there are accounts of. */
  readonly currency?: string | undefined;
}

/** Reports about the tenant of the scope, as a whole. */
@Injectable()
export class ReportsService {
  readonly #gateway: DataGateway;

  constructor(gateway: DataGateway) {
    this.#gateway = gateway;
  }

  /**
   * The sums of all accounts at one moment, on all shards: a transfer between shards is in them on both sides or on
   * neither, so that users' and settlement accounts sum to zero in every currency.
   *
   * @throws GatewayError `forbidden` with a user in scope
   * @throws ShardUnavailableError when a shard is away, or a transaction stays in doubt until the deadline
   */
  balances({ currency }: BalancesQuestion = {}): Promise<BalancesView> {
    const { tenantId } = tenantsServiceOnly();
    return this.#gateway.snapshot(
      async (reader) => {
        const rows = await reader.onEachShard((manager) =>
          manager.query<ShardBalancesRow[]>(SHARD_BALANCES_SQL, [tenantId, currency ?? null]),
        );
        return balancesViewOf(reader.asOf, addUp([...rows.values()].flat()));
      },
      { login: 'shared' },
    );
  }
}

/** Narrowed to one user it would not balance, and what others have is not that user's to see. */
function tenantsServiceOnly(): { readonly tenantId: string } {
  const { tenantId, userId } = GatewayContext.require();
  if (userId === undefined) return { tenantId };
  throw new GatewayError(
    'forbidden',
    "The sums of all users are for the tenant's service; leave X-User-Id out.",
  );
}
