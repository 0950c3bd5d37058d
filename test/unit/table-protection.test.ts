import { describe, expect, it } from '@jest/globals';
import { planProtection } from '../../src/sharding/migrations/table-protection.js';
import type { TableState } from '../../src/sharding/migrations/table-state.js';

const TABLE = { schema: 'billing', table: 'in"voices' };
const CONDITION = `(tenant_id = ( SELECT NULLIF(current_setting('shardgate.tenant_id'::text, true), ''::text) AS "nullif"))`;

const SESSION_CONDITION = `(tenant_id = ( SELECT
        CASE
            WHEN starts_with((SESSION_USER)::text, 'shardgate_t_'::text) THEN shardgate.session_tenant()
            ELSE NULL::text
        END AS "case"))`;

const ALL = { schemaUsage: true, privileges: ['SELECT', 'INSERT', 'UPDATE', 'DELETE'], lockedSequences: [] };
const NONE = { schemaUsage: false, privileges: [], lockedSequences: [] };

const column = (name: string, type: string) => ({ name, type, notNull: true });
const index = (name: string, columns: (string | null)[], plain = true) => ({
  name,
  columns,
  plain,
  isReplicaIdentity: false,
});

const PROTECTED: TableState = {
  isTable: true,
  rowSecurity: true,
  forceRowSecurity: true,
  replicaIdentity: 'i',
  columns: [
    column('tenant_id', 'text'),
    column('user_id', 'text'),
    column('bucket', 'smallint'),
    column('id', 'uuid'),
  ],
  policies: [
    {
      name: 'shardgate_tenant',
      permissive: true,
      command: '*',
      using: CONDITION,
      check: CONDITION,
      onlyGateway: true,
      onlyPublic: false,
      reachesGateway: true,
      reachesTenants: false,
    },
    {
      name: 'shardgate_session_tenant',
      permissive: true,
      command: '*',
      using: SESSION_CONDITION,
      check: SESSION_CONDITION,
      onlyGateway: false,
      onlyPublic: true,
      reachesGateway: true,
      reachesTenants: true,
    },
  ],
  uniqueIndexes: [
    index('pkey', ['tenant_id', 'id']),
    { ...index('identity', ['bucket', 'id']), isReplicaIdentity: true },
  ],
  foreignKeys: [],
  checks: ['shardgate_bucket_range'],
  gateway: ALL,
  tenants: ALL,
};

function plan(change: Partial<TableState> = {}, table = TABLE) {
  return planProtection(table, { ...PROTECTED, ...change }, 'gate"way', new Set(['billing.orders']));
}

describe('planProtection', () => {
  it('leaves a table alone that is protected', () => {
    expect(plan()).toEqual({ faults: [], statements: [] });
  });

  const [policy, sessionPolicy] = [PROTECTED.policies[0]!, PROTECTED.policies[1]!];
  it.each<[string, Partial<TableState>, string[]]>([
    [
      'row security that is off',
      { rowSecurity: false },
      ['alter table "billing"."in""voices" enable row level security'],
    ],
    [
      'row security that spares the owner',
      { forceRowSecurity: false },
      ['alter table "billing"."in""voices" force row level security'],
    ],
    [
      'rights that are too many and too few',
      { gateway: { ...ALL, privileges: ['SELECT', 'INSERT', 'TRUNCATE'] } },
      [
        'revoke TRUNCATE on "billing"."in""voices" from "gate""way", public',
        'grant UPDATE, DELETE on "billing"."in""voices" to "gate""way"',
      ],
    ],
    [
      'a replica identity without the bucket',
      { replicaIdentity: 'd', uniqueIndexes: [index('pkey', ['tenant_id', 'id'])] },
      [
        'create unique index "in""voices_bucket_identity" on "billing"."in""voices" ("bucket", "id")',
        'alter table "billing"."in""voices" replica identity using index "in""voices_bucket_identity"',
      ],
    ],
    [
      'an index of its own that serves as identity',
      { replicaIdentity: 'd', uniqueIndexes: [index('mine', ['bucket', 'id'])] },
      ['alter table "billing"."in""voices" replica identity using index "mine"'],
    ],
    [
      'a schema that the gateway cannot enter',
      { gateway: { ...ALL, schemaUsage: false } },
      ['grant usage on schema "billing" to "gate""way"'],
    ],
    [
      'a group of tenants that has no rights yet',
      { tenants: { ...NONE, lockedSequences: [{ schema: 'billing', name: 's' }] } },
      [
        'grant usage on schema "billing" to "shardgate_tenants"',
        'grant SELECT, INSERT, UPDATE, DELETE on "billing"."in""voices" to "shardgate_tenants"',
        'grant usage on sequence "billing"."s" to "shardgate_tenants"',
      ],
    ],
    [
      'rights of tenants that go past policies',
      { tenants: { ...ALL, privileges: [...ALL.privileges, 'TRIGGER'] } },
      ['revoke TRIGGER on "billing"."in""voices" from "shardgate_tenants", public'],
    ],
  ])('mends %s', (_, change, statements) => {
    expect(plan(change)).toEqual({ faults: [], statements });
  });

  it.each([
    ['that lets more in', { using: 'true' }],
    ['that lets more be written', { check: null }],
    ['for reads alone', { command: 'r' }],
    ['for other logins', { onlyGateway: false }],
    ['that only restricts', { permissive: false }],
  ])('replaces its policy by one that is right when it finds one %s', (_, change) => {
    const { statements } = plan({ policies: [{ ...policy, ...change }, sessionPolicy] });
    expect(statements[0]).toBe('drop policy shardgate_tenant on "billing"."in""voices"');
    expect(statements[1]).toMatch(
      /^create policy shardgate_tenant .* for all to "gate""way" using \(tenant_id/,
    );
  });

  it.each([
    ['that lets more in', { using: 'true' }],
    ['that goes by a setting', { using: CONDITION, check: CONDITION }],
    ['for a group that its members could drop', { onlyPublic: false }],
    ['for reads alone', { command: 'r' }],
  ])('replaces the policy of tenants’ logins when it finds one %s', (_, change) => {
    const { statements } = plan({ policies: [policy, { ...sessionPolicy, ...change }] });
    expect(statements).toEqual([
      'drop policy shardgate_session_tenant on "billing"."in""voices"',
      expect.stringMatching(
        /^create policy shardgate_session_tenant .* for all to public using \(.*session_tenant\(\) end\)\) with check/,
      ),
    ]);
  });

  it('adds the policy of tenants’ logins where it is missing', () => {
    const { statements } = plan({ policies: [policy] });
    expect(statements).toEqual([
      expect.stringMatching(/^create policy shardgate_session_tenant .* to public/),
    ]);
  });

  it('keeps tenants’ logins away from a table that is the gateway’s own', () => {
    const own = { ...TABLE, rawSql: false };
    expect(plan({ policies: [policy], tenants: NONE }, own)).toEqual({ faults: [], statements: [] });
    expect(plan({}, own).statements).toEqual([
      'drop policy shardgate_session_tenant on "billing"."in""voices"',
      'revoke SELECT, INSERT, UPDATE, DELETE on "billing"."in""voices" from "shardgate_tenants", public',
    ]);
  });

  it('asks nothing for tenants’ logins on a server that cannot have them', () => {
    expect(plan({ tenants: null })).toEqual({ faults: [], statements: [] });
  });

  it('refuses a policy that lets the login of a tenant past it', () => {
    const foreign = { ...policy, name: 'c', onlyGateway: false, reachesGateway: false, reachesTenants: true };
    expect(plan({ policies: [...PROTECTED.policies, foreign] }).faults).toEqual([
      expect.stringMatching(/policy c lets a login of a tenant past its tenant/),
    ]);
  });

  it('makes nothing unique by a partial index', () => {
    const { statements } = plan({
      uniqueIndexes: [index('pkey', ['tenant_id', 'id']), index('part', ['bucket', 'id'], false)],
      replicaIdentity: 'd',
    });
    expect(statements).toHaveLength(2);
  });

  it('accepts restrictive policies, and those of other logins', () => {
    const restrictive = { ...policy, name: 'a', permissive: false };
    const others = { ...policy, name: 'b', reachesGateway: false };
    expect(plan({ policies: [policy, sessionPolicy, restrictive, others] }).faults).toEqual([]);
  });

  it('accepts foreign keys that join the tenant, and those to tables of no tenant', () => {
    const key = { name: 'fk', schema: 'billing', table: 'orders', joinsTenant: true };
    const toCountries = { ...key, table: 'countries', joinsTenant: false };
    expect(plan({ foreignKeys: [key, toCountries] }).faults).toEqual([]);
    expect(plan({ foreignKeys: [{ ...key, joinsTenant: false }] }).faults).toHaveLength(1);
  });

  it('alters nothing while there is a fault', () => {
    const { faults, statements } = plan({ rowSecurity: false, columns: PROTECTED.columns.slice(1) });
    expect(faults).toEqual([expect.stringMatching(/column tenant_id is missing/)]);
    expect(statements).toEqual([]);
  });

  it('asks for the table when it is not there', () => {
    const { faults } = planProtection(TABLE, undefined, 'gateway', new Set());
    expect(faults).toEqual([expect.stringMatching(/is not a table here; add a migration/)]);
  });
});
