import { describe, expect, it } from '@jest/globals';
import { judgeTenantLogins } from '../../src/cli/doctor/judge-tenant-logins.js';
import type { TenantLoginFacts } from '../../src/cli/doctor/tenant-login-facts.js';

const WELL: TenantLoginFacts = {
  groupExists: true,
  adminMayCreateRoles: true,
  openSchemas: [],
  rolesWithSettings: 0,
  rolesWithRights: 0,
  preparedTransactions: 0,
};

describe('judgeTenantLogins', () => {
  const judge = (change: Partial<TenantLoginFacts>) => judgeTenantLogins({ ...WELL, ...change }, 's0');

  it('finds nothing where all is well, or where nobody said who administers', () => {
    expect(judge({})).toEqual([]);
    expect(judge({ adminMayCreateRoles: null })).toEqual([]);
  });

  it.each<[string, Partial<TenantLoginFacts>, string, RegExp]>([
    ['an administrator without CREATEROLE', { adminMayCreateRoles: false }, 'warning', /cannot make logins/],
    ['a missing group', { groupExists: false }, 'warning', /shardgate_tenants is missing/],
    [
      'a schema open to all',
      { openSchemas: ['schema public'] },
      'warning',
      /create objects in schema public/,
    ],
    ['settings of a login', { rolesWithSettings: 2 }, 'warning', /^2 logins of tenants carry settings/],
    ['rights of a login', { rolesWithRights: 1 }, 'error', /^1 logins of tenants have rights/],
    ['what raw SQL prepared', { preparedTransactions: 3 }, 'error', /^3 transactions were prepared/],
  ])('names %s', (_, change, level, what) => {
    expect(judge(change)).toEqual([
      expect.objectContaining({ level, where: 's0', what: expect.stringMatching(what) }),
    ]);
  });
});
