import type { SqlExecutor, SqlRow } from '../../common/sql-executor.js';

/** What a shard's database says of the logins of its tenants, on which callers' own SQL runs. */
export interface TenantLoginFacts {
  /** The group of all such logins is there. */
  readonly groupExists: boolean;
  /** The login of adminUrl may make roles, and members of the group; null where no adminUrl is configured. */
  readonly adminMayCreateRoles: boolean | null;
  /** Where everybody may create objects: schemas, or the database itself. */
  readonly openSchemas: readonly string[];
  /** Roles of tenants that carry settings of their own. */
  readonly rolesWithSettings: number;
  /** Roles of tenants with more rights, other memberships or members than they were made with. */
  readonly rolesWithRights: number;
  /** Transactions that a tenant's login prepared: nobody will ever end them. */
  readonly preparedTransactions: number;
}

const IS_PREPARED_SQL = `select to_regclass('shardgate.tenant_roles') is not null as migrated`;

/**
 * From PostgreSQL 16 on, making members of a group takes the admin option on it. Whoever makes a role there
 * is its member in name (with the admin option alone), which is no fault.
 */
const FACTS_SQL = `
  select
    exists (select from pg_roles where rolname = 'shardgate_tenants') as "groupExists",
    (select rolsuper or (rolcreaterole and (
        current_setting('server_version_num')::int < 160000
        or not exists (select from pg_roles where rolname = 'shardgate_tenants')
        or exists (select from pg_auth_members m join pg_roles g on g.oid = m.roleid
          where g.rolname = 'shardgate_tenants' and m.member = a.oid and m.admin_option)))
      from pg_roles a where a.rolname = $1) as "adminMayCreateRoles",
    (select coalesce(array_agg(place order by place), '{}') from (
      select 'schema ' || nspname as place from pg_namespace where has_schema_privilege('public', oid, 'create')
      union all
      select 'the database itself' where has_database_privilege('public', current_database(), 'create')
    ) places) as "openSchemas",
    (select count(distinct r.oid)::int from shardgate.tenant_roles t
      join pg_roles r on r.rolname = t.role_name
      join pg_db_role_setting s on s.setrole = r.oid
      where s.setdatabase in (0, (select oid from pg_database where datname = current_database()))) as "rolesWithSettings",
    (select count(*)::int from shardgate.tenant_roles t join pg_roles r on r.rolname = t.role_name
      where r.rolsuper or r.rolcreaterole or r.rolcreatedb or r.rolreplication or r.rolbypassrls
        or exists (select from pg_auth_members m join pg_roles g on g.oid = m.roleid
          where m.member = r.oid and g.rolname <> 'shardgate_tenants')
        or exists (select from pg_auth_members m where m.roleid = r.oid and not m.admin_option)) as "rolesWithRights",
    (select count(*)::int from pg_prepared_xacts
      where database = current_database() and owner like 'shardgate\\_t\\_%') as "preparedTransactions"
`;

/** Asks a primary, with the gateway's own login; undefined where nothing was migrated yet. */
export async function readTenantLoginFacts(
  server: SqlExecutor,
  adminRole: string | null,
): Promise<TenantLoginFacts | undefined> {
  const [prepared] = await server.query<{ migrated: boolean }>(IS_PREPARED_SQL);
  if (prepared?.migrated !== true) return undefined;
  const [row] = await server.query<TenantLoginFacts & SqlRow>(FACTS_SQL, [adminRole]);
  return row;
}
