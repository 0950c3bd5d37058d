import type { Decimal } from 'decimal.js';
import { GatewayError, NotFoundError } from '../../../common/gateway-error.js';
import { isInRange, sumOf } from '../../money/amount.js';
import type { Account } from '../account.js';

/** What a decision about an account's money looks at. */
export type AccountState = Pick<Account, 'status' | 'balance' | 'held' | 'overdraftLimit'>;

/** What is to be done about a movement: post a signed amount to the account, or refuse. */
export type MovementDecision<State extends AccountState> =
  | { readonly kind: 'post'; readonly account: State; readonly amount: Decimal }
  | { readonly kind: 'refuse'; readonly error: GatewayError };

/**
 * Decides about a deposit of a positive amount. Refusals, first one first: not found, status, range.
 *
 * @param account the locked account; undefined when there is none to be seen
 */
export function decideDeposit<State extends AccountState>(
  account: State | undefined,
  amount: Decimal,
): MovementDecision<State> {
  if (account === undefined) return refuse(new NotFoundError('The account'));
  const refusal = statusRefusal(account) ?? rangeRefusal(account, amount);
  return refusal === undefined ? { kind: 'post', account, amount } : refuse(refusal);
}

/** Decides about a withdrawal of a positive amount. Refusals, first one first: not found, status, funds, range. */
export function decideWithdrawal<State extends AccountState>(
  account: State | undefined,
  amount: Decimal,
): MovementDecision<State> {
  if (account === undefined) return refuse(new NotFoundError('The account'));
  const change = amount.negated();
  const refusal = statusRefusal(account) ?? fundsRefusal(account, amount) ?? rangeRefusal(account, change);
  return refusal === undefined ? { kind: 'post', account, amount: change } : refuse(refusal);
}

/** What an amount is refused with that a balance cannot take. */
export function outOfRange(): GatewayError {
  return new GatewayError(
    'amount_out_of_range',
    'A balance would leave the range of amounts (16 integer digits); move less.',
  );
}

function refuse(error: GatewayError): { readonly kind: 'refuse'; readonly error: GatewayError } {
  return { kind: 'refuse', error };
}

/** Why no money moves on an account of this status, if none does. */
export function statusRefusal({ status }: Pick<AccountState, 'status'>): GatewayError | undefined {
  switch (status) {
    case 'FROZEN':
      return new GatewayError('account_frozen', 'The account is frozen; set it ACTIVE before money moves.');
    case 'CLOSED':
      return new GatewayError('account_closed', 'The account is closed for good; use another one.');
    case 'ACTIVE':
      return undefined;
  }
}

/** Why an account cannot give an amount, if it cannot. */
export function fundsRefusal(
  { balance, held, overdraftLimit }: Omit<AccountState, 'status'>,
  amount: Decimal,
): GatewayError | undefined {
  const available = sumOf(balance, held.negated(), overdraftLimit);
  if (available.greaterThanOrEqualTo(amount)) return undefined;
  return new GatewayError(
    'insufficient_funds',
    'The available balance is below the amount; move less, or deposit first.',
  );
}

/** Why a balance cannot take a signed change, if it cannot. */
export function rangeRefusal(
  { balance }: Pick<AccountState, 'balance'>,
  change: Decimal,
): GatewayError | undefined {
  return isInRange(sumOf(balance, change)) ? undefined : outOfRange();
}
