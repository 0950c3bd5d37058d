import { escapeIdentifier } from 'pg';
import type { SqlExecutor } from '../../common/sql-executor.js';
import type { MigrationTarget } from './migration-plan.js';
import { TENANTS_ROLE } from './table-names.js';

const STATE_SQL = `
  select exists (select from pg_roles where rolname = $1) as "groupExists",
    (select rolsuper or rolcreaterole from pg_roles where rolname = current_user) as "mayCreateRoles",
    current_database() as database
`;

/** Shards on one server share the group: another one may be making it at this moment. */
const CREATE_GROUP_SQL = `
  do $$ begin
    create role ${TENANTS_ROLE} nologin nosuperuser nocreatedb nocreaterole noreplication nobypassrls;
  exception when duplicate_object or unique_violation then null;
  end $$
`;

const MAY_CONNECT_SQL = `select has_database_privilege($1, current_database(), 'connect') as "mayConnect"`;

/**
 * Makes the group of the tenants' logins where it is missing, and lets the gateway's login ask for them. An
 * administrator's login that may not make roles leaves it at that: all but raw SQL works without, and
 * `doctor` names it.
 */
export async function prepareTenantLogins(sql: SqlExecutor, target: MigrationTarget): Promise<void> {
  const gateway = escapeIdentifier(target.gatewayRole);
  await sql.query(`grant select on shardgate.tenant_roles to ${gateway}`);
  await sql.query(
    `grant execute on function shardgate.ensure_tenant_role(text, text), shardgate.end_tenant_session(integer) to ${gateway}`,
  );
  const [state] = await sql.query<{ groupExists: boolean; mayCreateRoles: boolean; database: string }>(
    STATE_SQL,
    [TENANTS_ROLE],
  );
  if (state === undefined || (!state.groupExists && !state.mayCreateRoles)) return;
  if (!state.groupExists) await sql.query(CREATE_GROUP_SQL);
  const [access] = await sql.query<{ mayConnect: boolean }>(MAY_CONNECT_SQL, [TENANTS_ROLE]);
  if (access?.mayConnect === false) {
    await sql.query(`grant connect on database ${escapeIdentifier(state.database)} to ${TENANTS_ROLE}`);
  }
}
