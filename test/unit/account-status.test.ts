import { describe, expect, it } from '@jest/globals';
import { Decimal } from 'decimal.js';
import { decideStatus } from '../../src/modules/accounts/account-status.js';
import type { AccountStatus } from '../../src/modules/accounts/account.js';

function account(status: AccountStatus, balance = '0', held = '0') {
  return { status, balance: new Decimal(balance), held: new Decimal(held), version: '7' };
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
    expect(decideStatus(account(from, balance), to)).toEqual({ kind });
  });

  it.each([
    ['account_closed', account('CLOSED'), 'ACTIVE'],
    ['account_closed', account('CLOSED'), 'FROZEN'],
    ['account_not_empty', account('ACTIVE', '0.0001'), 'CLOSED'],
    ['account_not_empty', account('ACTIVE', '-1'), 'CLOSED'],
    ['account_not_empty', account('FROZEN', '0', '1'), 'CLOSED'],
  ] as const)('is refused as %s', (code, state, to) => {
    expect(decideStatus(state, to)).toMatchObject({ kind: 'refuse', error: { code } });
  });

  it('depends on the version that was seen, before anything else', () => {
    expect(decideStatus(account('ACTIVE'), 'FROZEN', '7')).toEqual({ kind: 'change' });
    const refused = { kind: 'refuse', error: { code: 'version_conflict' } };
    expect(decideStatus(account('CLOSED'), 'ACTIVE', '6')).toMatchObject(refused);
  });
});
