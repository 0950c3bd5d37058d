import type { Decimal } from 'decimal.js';
import { ValidationError, type FieldFault } from '../../common/gateway-error.js';
import { finenessFault, parseAmount } from '../money/amount.js';
import { parseAccountNumber } from './account-number.js';

/** What a client says of a new account; the currency is an ISO 4217 code. */
export interface WantedAccount {
  readonly accountNumber: string;
  readonly currency: string;
  /** Decimal string; the account begins with a deposit of it. */
  readonly openingBalance?: string | undefined;
}

/** A new account as it is kept. */
export interface NewAccount {
  readonly accountNumber: string;
  readonly currency: string;
  /** Undefined when the account begins empty. */
  readonly openingDeposit: Decimal | undefined;
}

/** Checks what a client says of a new account. @throws ValidationError with every fault */
export function parseNewAccount(wanted: WantedAccount, subMinorUnits: boolean): NewAccount {
  const faults: FieldFault[] = [];
  const parsed = parseAccountNumber(wanted.accountNumber);
  if ('fault' in parsed) faults.push({ path: 'accountNumber', message: parsed.fault });
  const opening = parseAmount(wanted.openingBalance ?? '0');
  if (opening === undefined) {
    faults.push({
      path: 'openingBalance',
      message: 'must be a decimal of at most 16 integer and 4 fraction digits',
    });
  } else {
    const { currency } = wanted;
    const fault = finenessFault(opening, { currency, subMinorUnits }, 'openingBalance');
    if (fault !== undefined) faults.push(fault);
  }
  if (faults.length > 0 || 'fault' in parsed || opening === undefined) throw new ValidationError(faults);
  return {
    accountNumber: parsed.number,
    currency: wanted.currency,
    openingDeposit: opening.isZero() ? undefined : opening,
  };
}
