import { randomBytes, randomUUID } from 'node:crypto';
import { expect } from '@jest/globals';
import { callersSqlThrough } from './callers-sql.js';
import type { EscapeTargets } from './escape-attempts.js';
import type { GatewayFixture } from './gateway-fixture.js';

/** What one caller could leave to the next in its session, or beside it. */
export const LEFT_BEHIND_SQL = `
  select session_user::text, current_user::text, current_setting('role') as role,
    coalesce(nullif(current_setting('shardgate.tenant_id', true), ''), '-') as tenant,
    coalesce(nullif(current_setting('my.setting', true), ''), '-') as mine,
    (select pg_catalog.json_agg(s.name || '=' || s.setting order by s.name) from pg_catalog.pg_settings s
      where s.source in ('session', 'user', 'database user')) as settings,
    current_setting('search_path') as search_path,
    current_setting('default_transaction_isolation') as isolation,
    current_setting('transaction_read_only') as read_only,
    (select count(*)::int from pg_catalog.pg_class where relnamespace = pg_my_temp_schema()) as relations,
    (select count(*)::int from pg_catalog.pg_type where typnamespace = pg_my_temp_schema()) as types,
    (select count(*)::int from pg_catalog.pg_proc where pronamespace = pg_my_temp_schema()) as functions,
    (select count(*)::int from pg_catalog.pg_operator where oprnamespace = pg_my_temp_schema()) as operators,
    (select count(*)::int from pg_catalog.pg_cast where oid >= 16384) as casts,
    (select count(*)::int from pg_catalog.pg_prepared_statements) as statements,
    (select count(*)::int from pg_catalog.pg_cursors where name <> '') as cursors,
    (select count(*)::int from pg_catalog.pg_locks where pid = pg_backend_pid() and locktype = 'advisory') as locks,
    (select count(*)::int from pg_listening_channels()) as channels,
    (select count(*)::int from pg_catalog.pg_prepared_xacts where owner = session_user) as prepared
`;

/** A tenant whose rows nobody else may see or change, and the means to tell whether anybody did. */
export interface Victim {
  readonly targets: EscapeTargets;
  readonly notes: number;
  /** Fails when something that came back holds any value of the victim's. */
  assertUnseen(rows: unknown, error: unknown): void;
  /** Fails when a row of the victim's, or a policy or right that guards it, is not what it was. */
  assertUntouched(): Promise<void>;
}

const NOTES = 200;

const STATE_SQL = `
  select
    (select md5(string_agg(n::text, ',' order by n.id)) from notes.notes n where tenant_id = $1) as notes,
    (select md5(string_agg(a::text, ',' order by a.id)) from finance.accounts a where tenant_id = $1) as accounts,
    (select md5(string_agg(t::text, ',' order by t.id)) from finance.transactions t where tenant_id = $1) as transactions,
    (select md5(string_agg(p::text, ',' order by p.oid)) from pg_policy p) as policies,
    (select md5(string_agg(c.oid || coalesce(c.relacl::text, '-') || c.relrowsecurity || c.relforcerowsecurity, ',' order by c.oid))
      from pg_class c join pg_namespace n on n.oid = c.relnamespace where n.nspname in ('notes', 'finance', 'shardgate')) as rights,
    (select md5(string_agg(f.oid || coalesce(f.proacl::text, '-') || f.prosrc, ',' order by f.oid))
      from pg_proc f join pg_namespace n on n.oid = f.pronamespace where n.nspname = 'shardgate') as functions,
    (select string_agg(nspname || coalesce(nspacl::text, '-'), ',' order by nspname) from pg_namespace where nspname !~ '^pg_') as schemas,
    (select r.rolsuper::text || r.rolcanlogin || r.rolbypassrls || coalesce(r.rolconfig::text, '-') from pg_roles r
      where r.rolname = $2) as role
`;

/** Makes a tenant with rows full of canaries, and gives the attacker a few rows of its own. */
export async function victimOf(fixture: GatewayFixture, tenantId: string, attacker: string): Promise<Victim> {
  const canary = `CANARY${randomBytes(8).toString('hex')}`;
  const [noteId, accountId] = [randomUUID(), randomUUID()];
  const { admin, credentials } = fixture;
  // The attacker's: so that the user alone keeps nobody from the rows.
  const userId = fixture.userOf(attacker);
  const insert = `insert into notes.notes (tenant_id, id, user_id, bucket, body)`;
  await admin.query(`${insert} values ($1, $2, $4, 7, $3)`, [tenantId, noteId, canary, userId]);
  // Many of one value, so that it is among the most common ones that the server's statistics keep.
  await admin.query(`${insert} select $1, gen_random_uuid(), $3, 7, $2 from generate_series(2, ${NOTES})`, [
    tenantId,
    canary,
    userId,
  ]);
  await admin.query(`${insert} values ($1, gen_random_uuid(), $2, 7, 'of the attacker')`, [attacker, userId]);
  await admin.query(
    `insert into finance.accounts (tenant_id, id, user_id, bucket, account_number, currency)
     values ($1, $2, $4, 7, $3, 'EUR')`,
    [tenantId, accountId, canary, userId],
  );
  await admin.query('analyze notes.notes');
  await admin.query('analyze finance.accounts');
  const theirs = callersSqlThrough(fixture);
  await theirs.query(tenantId, 'select 1');
  await theirs.query(attacker, 'select 1');
  const role = credentials.roleName(tenantId);
  const state = () => admin.query(STATE_SQL, [tenantId, role]);
  const before = await state();
  return {
    targets: {
      own: credentials.roleName(attacker),
      victim: role,
      gateway: new URL(fixture.primaryUrl).username,
      admin: new URL(fixture.adminUrl).username,
      victimTenant: tenantId,
      victimNoteId: noteId,
      victimAccountId: accountId,
    },
    notes: NOTES,
    assertUnseen: (rows, error) => {
      expect(JSON.stringify(rows)).not.toContain(canary);
      // A cause is the driver's own error, which TypeORM carries beside its message.
      for (let fault = error; fault instanceof Error; fault = fault.cause) {
        expect(JSON.stringify([fault.message, Object.entries(fault)])).not.toContain(canary);
      }
    },
    assertUntouched: async () => {
      expect(await state()).toEqual(before);
    },
  };
}
