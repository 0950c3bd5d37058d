import { GatewayContext } from '../../common/gateway-context.js';
import { NotFoundError } from '../../common/gateway-error.js';
import type { DataGateway } from '../../gateway/data-gateway.js';
import { isGatewayId } from '../../sharding/topology/gateway-id.js';
import { Account } from './account.js';

/** Whether the scope may see this account: not a settlement account, and of the acting user if there is one. */
export function isVisible(account: Account | null | undefined): account is Account {
  if (account?.kind !== 'USER') return false;
  const { userId } = GatewayContext.require();
  return userId === undefined || account.userId === userId;
}

/** What a call about an account that the scope does not see answers. */
export function accountNotFound(): NotFoundError {
  return new NotFoundError('The account');
}

/**
 * The account of this id, read from a replica.
 *
 * @throws NotFoundError when there is none, or none that the scope may see
 */
export async function readAccount(gateway: DataGateway, id: string): Promise<Account> {
  // An id that no gateway made names no shard to look on.
  const account = isGatewayId(id) ? await gateway.repository(Account).findById(id) : null;
  if (!isVisible(account)) throw accountNotFound();
  return account;
}
