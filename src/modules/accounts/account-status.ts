import { GatewayError } from '../../common/gateway-error.js';
import type { Account, AccountStatus } from './account.js';

/** Every status that an account can be set to. */
export const ACCOUNT_STATUSES = ['ACTIVE', 'FROZEN', 'CLOSED'] as const satisfies readonly AccountStatus[];

/** What is to be done about a wish to set an account's status. */
export type StatusDecision =
  { readonly kind: 'change' | 'keep' } | { readonly kind: 'refuse'; readonly error: GatewayError };

/**
 * Decides about a new status: ACTIVE and FROZEN change into each other, CLOSED is final and for empty
 * accounts only. The status that it has already is kept without a change. Refusals, first one first:
 * version, status, funds.
 *
 * @param expectedVersion the version that the caller saw, when the change depends on it
 */
export function decideStatus(
  account: Pick<Account, 'status' | 'balance' | 'held' | 'version'>,
  wanted: AccountStatus,
  expectedVersion?: string,
): StatusDecision {
  if (expectedVersion !== undefined && expectedVersion !== account.version) {
    return refuse('version_conflict', 'The account has changed since; read it again and repeat the change.');
  }
  if (account.status === wanted) return { kind: 'keep' };
  if (account.status === 'CLOSED') {
    return refuse('account_closed', 'The account is closed for good; create another one.');
  }
  if (wanted === 'CLOSED' && !(account.balance.isZero() && account.held.isZero())) {
    return refuse('account_not_empty', 'The account still holds money; bring its balance to zero first.');
  }
  return { kind: 'change' };
}

function refuse(
  code: 'version_conflict' | 'account_closed' | 'account_not_empty',
  message: string,
): StatusDecision {
  return { kind: 'refuse', error: new GatewayError(code, message) };
}
