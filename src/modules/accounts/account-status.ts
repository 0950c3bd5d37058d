import type { Decimal } from 'decimal.js';
import { GatewayError } from '../../common/gateway-error.js';
import { sumOf } from '../money/amount.js';
import type { Account, AccountStatus } from './account.js';

/** Every status that an account can be set to. */
export const ACCOUNT_STATUSES = ['ACTIVE', 'FROZEN', 'CLOSED'] as const satisfies readonly AccountStatus[];

/** What of an account its owner or tenant may set; undefined stays as it is. */
export interface AccountTerms {
  readonly status?: AccountStatus | undefined;
  readonly overdraftLimit?: Decimal | undefined;
}

/** What is to be done about a wish to change an account. */
export type ChangeDecision =
  { readonly kind: 'change' | 'keep' } | { readonly kind: 'refuse'; readonly error: GatewayError };

/**
 * Decides about a new status and overdraft limit: ACTIVE and FROZEN change into each other, CLOSED is final and for
 * empty accounts only; a limit is never below what is overdrawn. What an account has already is kept without a
 * change. Refusals, first one first: version, status, funds.
 *
 * @param expectedVersion the version that the caller saw, when the change depends on it
 */
export function decideChange(
  account: Pick<Account, 'status' | 'balance' | 'held' | 'overdraftLimit' | 'version'>,
  { status = account.status, overdraftLimit = account.overdraftLimit }: AccountTerms,
  expectedVersion?: string,
): ChangeDecision {
  if (expectedVersion !== undefined && expectedVersion !== account.version) {
    return refuse('version_conflict', 'The account has changed since; read it again and repeat the change.');
  }
  if (account.status === status && account.overdraftLimit.equals(overdraftLimit)) return { kind: 'keep' };
  if (account.status === 'CLOSED') {
    return refuse('account_closed', 'The account is closed for good; create another one.');
  }
  if (status === 'CLOSED' && !(account.balance.isZero() && account.held.isZero())) {
    return refuse('account_not_empty', 'The account still holds money; bring its balance to zero first.');
  }
  if (sumOf(account.balance, account.held.negated(), overdraftLimit).isNegative()) {
    return refuse('insufficient_funds', 'The account is overdrawn further than that; deposit first.');
  }
  return { kind: 'change' };
}

function refuse(
  code: 'version_conflict' | 'account_closed' | 'account_not_empty' | 'insufficient_funds',
  message: string,
): ChangeDecision {
  return { kind: 'refuse', error: new GatewayError(code, message) };
}
