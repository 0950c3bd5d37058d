import type { Decimal } from 'decimal.js';
import { GatewayError, NotFoundError } from '../../../common/gateway-error.js';
import { isInRange, sumOf } from '../../money/amount.js';
import type { Account } from '../account.js';

/** What a decision about an account's money looks at. */
export type AccountState = Pick<Account, 'status' | 'balance' | 'held' | 'overdraftLimit'>;

/** What is to be done about a movement: post a signed amount, or refuse. */
export type MovementDecision =
  | { readonly kind: 'post'; readonly amount: Decimal }
  | { readonly kind: 'refuse'; readonly error: GatewayError };

/**
 * Decides about a deposit of a positive amount. Refusals, first one first: not found, status, range.
 *
 * @param account the locked account; undefined when there is none to be seen
 */
export function decideDeposit(account: AccountState | undefined, amount: Decimal): MovementDecision {
  const refusal = accountRefusal(account) ?? rangeRefusal(account, amount);
  return refusal === undefined ? { kind: 'post', amount } : { kind: 'refuse', error: refusal };
}

/** Decides about a withdrawal of a positive amount. Refusals, first one first: not found, status, funds, range. */
export function decideWithdrawal(account: AccountState | undefined, amount: Decimal): MovementDecision {
  const change = amount.negated();
  const refusal =
    accountRefusal(account) ?? fundsRefusal(account, amount) ?? rangeRefusal(account, change);
  return refusal === undefined ? { kind: 'post', amount: change } : { kind: 'refuse', error: refusal };
}

/** What an amount is refused with that the balance cannot take. */
export function outOfRange(): GatewayError {
  return new GatewayError(
    'amount_out_of_range',
    'A balance would leave the range of amounts (16 integer digits); move less.',
  );
}

function accountRefusal(account: AccountState | undefined): GatewayError | undefined {
  switch (account?.status) {
    case undefined:
      return new NotFoundError('The account');
    case 'FROZEN':
      return new GatewayError('account_frozen', 'The account is frozen; set it ACTIVE before money moves.');
    case 'CLOSED':
      return new GatewayError('account_closed', 'The account is closed for good; use another one.');
    case 'ACTIVE':
      return undefined;
  }
}

function fundsRefusal(account: AccountState | undefined, amount: Decimal): GatewayError | undefined {
  if (account === undefined) return undefined;
  const { balance, held, overdraftLimit } = account;
  const available = sumOf(balance, held.negated(), overdraftLimit);
  if (available.greaterThanOrEqualTo(amount)) return undefined;
  return new GatewayError(
    'insufficient_funds',
    'The available balance is below the amount; move less, or deposit first.',
  );
}

function rangeRefusal(account: AccountState | undefined, change: Decimal): GatewayError | undefined {
  if (account === undefined || isInRange(sumOf(account.balance, change))) return undefined;
  return outOfRange();
}
