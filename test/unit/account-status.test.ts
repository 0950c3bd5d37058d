import { describe, expect, it } from '@jest/globals';
import { Decimal } from 'decimal.js';
import { decideChange } from '../../src/modules/accounts/account-status.js';
import type { AccountStatus } from '../../src/modules/accounts/account.js';

function account(status: AccountStatus, balance = '0', held = '0', overdraft = '0') {
  const overdraftLimit = new Decimal(overdraft);
  return { status, balance: new Decimal(balance), held: new Decimal(held), overdraftLimit, version: '7' };
}

describe('a new status', () => {
  it.each([
    ['ACTIVE', 'FROZEN', '5', 'change'],
    ['FROZEN', 'ACTIVE', '5', 'change'],
    ['ACTIVE', 'CLOSED', '0', 'change'],
    ['FROZEN', 'CLOSED', '0', 'change'],
    ['ACTIVE', 'ACTIVE', '5', 'keep'],
    ['CLOSED', 'CLOSED', '0', 'keep'],
  ] as const)('from %s to %s with balance %s is a %s', (from, to, balance, kind) => {
    expect(decideChange(account(from, balance), { status: to })).toEqual({ kind });
  });

  it.each([
    ['account_closed', account('CLOSED'), 'ACTIVE'],
    ['account_closed', account('CLOSED'), 'FROZEN'],
    ['account_not_empty', account('ACTIVE', '0.0001'), 'CLOSED'],
    ['account_not_empty', account('ACTIVE', '-1'), 'CLOSED'],
    ['account_not_empty', account('FROZEN', '0', '1'), 'CLOSED'],
  ] as const)('is refused as %s', (code, state, to) => {
    expect(decideChange(state, { status: to })).toMatchObject({ kind: 'refuse', error: { code } });
  });

  it('depends on the version that was seen, before anything else', () => {
    expect(decideChange(account('ACTIVE'), { status: 'FROZEN' }, '7')).toEqual({ kind: 'change' });
    const refused = { kind: 'refuse', error: { code: 'version_conflict' } };
    expect(decideChange(account('CLOSED'), { status: 'ACTIVE' }, '6')).toMatchObject(refused);
  });
});

describe('a new overdraft limit', () => {
  const limit = (text: string) => ({ overdraftLimit: new Decimal(text) });

  it.each([
    ['10', account('ACTIVE'), 'change'],
    ['10', account('FROZEN'), 'change'],
    ['5.0', account('ACTIVE', '-5', '0', '5'), 'keep'],
    ['5', account('ACTIVE', '-4', '1', '10'), 'change'],
  ] as const)('of %s is set where not more is used', (text, state, kind) => {
    expect(decideChange(state, limit(text))).toEqual({ kind });
  });

  it('is refused below what is used, or held', () => {
    const refused = { kind: 'refuse', error: { code: 'insufficient_funds' } };
    expect(decideChange(account('ACTIVE', '-5', '0', '10'), limit('4.9999'))).toMatchObject(refused);
    expect(decideChange(account('ACTIVE', '0', '5', '10'), limit('4.9999'))).toMatchObject(refused);
  });

  it('is refused on a closed account', () => {
    const refused = { kind: 'refuse', error: { code: 'account_closed' } };
    expect(decideChange(account('CLOSED'), limit('1'))).toMatchObject(refused);
  });
});
