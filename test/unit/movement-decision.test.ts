import { describe, expect, it } from '@jest/globals';
import { Decimal } from 'decimal.js';
import {
  decideDeposit,
  decideWithdrawal,
  type AccountState,
} from '../../src/modules/accounts/ledger/movement-decision.js';

const LARGEST = '9999999999999999.9999';

function account({
  status = 'ACTIVE',
  balance = '100',
  held = '0',
  overdraftLimit = '0',
}: Partial<Record<keyof AccountState, string>> = {}): AccountState {
  return {
    status: status as AccountState['status'],
    balance: new Decimal(balance),
    held: new Decimal(held),
    overdraftLimit: new Decimal(overdraftLimit),
  };
}

describe('a deposit', () => {
  it('is posted with its amount', () => {
    const decision = decideDeposit(account(), new Decimal('0.5'));
    expect(decision).toMatchObject({ kind: 'post', amount: new Decimal('0.5') });
  });

  it('fits up to the largest balance', () => {
    const { kind } = decideDeposit(account({ balance: '9999999999999999.9998' }), new Decimal('0.0001'));
    expect(kind).toBe('post');
  });

  it.each([
    ['not_found', undefined],
    ['account_frozen', account({ status: 'FROZEN', balance: LARGEST })],
    ['account_closed', account({ status: 'CLOSED', balance: '0' })],
    ['amount_out_of_range', account({ balance: LARGEST })],
  ])('is refused as %s', (code, state) => {
    const decision = decideDeposit(state, new Decimal('0.0001'));
    expect(decision).toMatchObject({ kind: 'refuse', error: { code } });
  });
});

describe('a withdrawal', () => {
  it('is posted with its amount negated', () => {
    const decision = decideWithdrawal(account(), new Decimal('100'));
    expect(decision).toMatchObject({ kind: 'post', amount: new Decimal('-100') });
  });

  it('may use the overdraft to its end', () => {
    const state = account({ balance: '10', overdraftLimit: '5' });
    expect(decideWithdrawal(state, new Decimal('15')).kind).toBe('post');
    expect(decideWithdrawal(state, new Decimal('15.0001')).kind).toBe('refuse');
  });

  it.each([
    ['not_found', undefined],
    ['account_frozen', account({ status: 'FROZEN', balance: '0' })],
    ['account_closed', account({ status: 'CLOSED', balance: '0' })],
    ['insufficient_funds', account({ balance: '99.9999' })],
    ['insufficient_funds', account({ balance: '150', held: '50.0001' })],
    [
      'amount_out_of_range',
      account({ balance: `-${LARGEST}`, overdraftLimit: LARGEST, held: `-${LARGEST}` }),
    ],
  ])('is refused as %s', (code, state) => {
    const decision = decideWithdrawal(state, new Decimal('100'));
    expect(decision).toMatchObject({ kind: 'refuse', error: { code } });
  });
});
