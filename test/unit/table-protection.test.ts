import { describe, expect, it } from '@jest/globals';
import { planProtection } from '../../src/sharding/migrations/table-protection.js';
import type { TableState } from '../../src/sharding/migrations/table-state.js';

const TABLE = { schema: 'billing', table: 'in"voices' };
const CONDITION = `(tenant_id = ( SELECT
        CASE
            WHEN starts_with((SESSION_USER)::text, 'shardgate_t_'::text) THEN shardgate.session_tenant()
            WHEN (CURRENT_USER = <gateway>) THEN NULLIF(current_setting('shardgate.tenant_id'::text, true), ''::text)
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

  const policy = PROTECTED.policies[0]!;
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

  const CREATED = expect.stringMatching(
    /^create policy shardgate_tenant .* for all to public using \(tenant_id = .*\) with check \(tenant_id = /s,
  );
  const DROPPED = 'drop policy shardgate_tenant on "billing"."in""voices"';

  it.each([
    ['that lets more in', { using: 'true' }],
    ['that lets more be written', { check: null }],
    ['for a login of another name', { using: CONDITION.replace('<gateway>', `'other'::name`) }],
    ['by a function of another schema', { using: CONDITION.replace('starts_with', 'public.starts_with') }],
    ['for reads alone', { command: 'r' }],
    ['for a role that its members could drop it from', { onlyPublic: false }],
    ['that only restricts', { permissive: false }],
  ])('replaces its policy by one that is right when it finds one %s', (_, change) => {
    expect(plan({ policies: [{ ...policy, ...change }] }).statements).toEqual([DROPPED, CREATED]);
  });

  it('adds its policy where it is missing, with the gateway’s login as a literal', () => {
    const statements = planProtection(TABLE, { ...PROTECTED, policies: [] }, `o'brien`, new Set()).statements;
    expect(statements).toEqual([CREATED]);
    expect(statements[0]).toContain(`current_user = 'o''brien'`);
  });

  it('takes away the second policy that tables had for a time', () => {
    const former = { ...policy, name: 'shardgate_session_tenant' };
    const dropped = 'drop policy shardgate_session_tenant on "billing"."in""voices"';
    expect(plan({ policies: [policy, former] }).statements).toEqual([dropped]);
    expect(plan({ policies: [former] }).statements).toEqual([dropped, CREATED]);
  });

  it('keeps tenants’ logins away from a table that is the gateway’s own', () => {
    const own = { ...TABLE, rawSql: false };
    expect(plan({ tenants: NONE }, own)).toEqual({ faults: [], statements: [] });
    expect(plan({}, own).statements).toEqual([
      'revoke SELECT, INSERT, UPDATE, DELETE on "billing"."in""voices" from "shardgate_tenants", public',
    ]);
  });

  it('asks nothing for tenants’ logins on a server that cannot have them', () => {
    expect(plan({ tenants: null })).toEqual({ faults: [], statements: [] });
  });

  it('refuses a policy that lets the login of a tenant past it', () => {
    const foreign = { ...policy, name: 'c', reachesGateway: false };
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
    const others = { ...policy, name: 'b', reachesGateway: false, reachesTenants: false };
    expect(plan({ policies: [policy, restrictive, others] }).faults).toEqual([]);
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
