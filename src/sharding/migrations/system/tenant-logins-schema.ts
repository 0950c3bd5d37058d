/**
 * Which role is whose. Only the functions below, their owner and the gateway's login read it. The lock on it
 * is also what keeps two processes from making one role at once: an advisory lock could be taken, and kept,
 * by any tenant.
 */
const TENANT_ROLES_SQL = `
  create table shardgate.tenant_roles (
    role_name name primary key,
    tenant_id text not null unique
  );
`;

/**
 * The tenant whose login this session is, null for all others. By session_user, which no statement changes:
 * not SET ROLE, not SET SESSION AUTHORIZATION, no setting, and no function that runs with its owner's rights.
 */
const SESSION_TENANT_SQL = `
  create function shardgate.session_tenant() returns text
  language plpgsql stable parallel safe security definer set search_path = pg_catalog, pg_temp as $$
  begin
    return (select r.tenant_id from shardgate.tenant_roles r where r.role_name = session_user);
  end $$;
`;

/** More than any sensible number of processes needs for one tenant, and few of what a server admits. */
const CONNECTIONS_PER_TENANT_MAX = 64;

/**
 * Makes a tenant's role, or puts it right, whatever its own session did to it: a role may set its own
 * password and settings and, up to PostgreSQL 15, make others its members. The name follows from the tenant,
 * so that no caller can have another role altered; the verifier is no password, so that none reaches a log.
 */
const ENSURE_TENANT_ROLE_SQL = `
  create function shardgate.ensure_tenant_role(wanted_tenant text, verifier text) returns text
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
  declare
    wanted_role name;
    known record;
    other name;
  begin
    if wanted_tenant is null or wanted_tenant !~ '^[a-z0-9][a-z0-9-]{0,62}$' then
      raise exception using errcode = '22023', message = 'not the id of a tenant';
    end if;
    if verifier is null
      or verifier !~ '^SCRAM-SHA-256[$][0-9]{1,7}:[A-Za-z0-9+/]{22}==[$][A-Za-z0-9+/]{43}=:[A-Za-z0-9+/]{43}=$' then
      raise exception using errcode = '22023', message = 'not a SCRAM-SHA-256 verifier';
    end if;

    lock table shardgate.tenant_roles in share row exclusive mode;
    select 'shardgate_t_' || left(encode(sha256(convert_to(
        i.installation_id::text || '/' || i.shard_id || '/' || wanted_tenant, 'UTF8')), 'hex'), 48)
      into strict wanted_role from shardgate.installation i;

    select r.oid, r.rolsuper or r.rolcreaterole or r.rolcreatedb or r.rolreplication or r.rolbypassrls as privileged
      into known from pg_roles r where r.rolname = wanted_role;
    if known.oid is null then
      execute format('create role %I login connection limit ${CONNECTIONS_PER_TENANT_MAX} password %L', wanted_role, verifier);
    elsif known.privileged then
      raise exception using errcode = '42501', message = 'the role of a tenant has rights that no tenant may have';
    else
      execute format('alter role %I with login inherit connection limit ${CONNECTIONS_PER_TENANT_MAX} password %L valid until %L',
        wanted_role, verifier, 'infinity');
      execute format('alter role %I reset all', wanted_role);
      execute format('alter role %I in database %I reset all', wanted_role, current_database());
      for other in
        select g.rolname from pg_auth_members m join pg_roles g on g.oid = m.roleid
        where m.member = known.oid and g.rolname <> 'shardgate_tenants'
      loop
        execute format('revoke %I from %I', other, wanted_role);
      end loop;
      for other in
        select g.rolname from pg_auth_members m join pg_roles g on g.oid = m.member
        where m.roleid = known.oid and g.rolname <> current_user
      loop
        execute format('revoke %I from %I', wanted_role, other);
      end loop;
    end if;

    if not exists (
      select from pg_auth_members m join pg_roles g on g.oid = m.roleid join pg_roles t on t.oid = m.member
      where g.rolname = 'shardgate_tenants' and t.rolname = wanted_role
    ) then
      -- From PostgreSQL 16 on a member can be kept from becoming the group, whose objects all tenants would share.
      execute format('grant shardgate_tenants to %I', wanted_role)
        || case when current_setting('server_version_num')::int >= 160000 then ' with inherit true, set false' else '' end;
    end if;

    insert into shardgate.tenant_roles (role_name, tenant_id) values (wanted_role, wanted_tenant)
      on conflict (tenant_id) do update set role_name = excluded.role_name
      where tenant_roles.role_name <> excluded.role_name;
    return wanted_role;
  end $$;
  revoke execute on function shardgate.ensure_tenant_role(text, text) from public;
`;

/**
 * Ends the session of a tenant whose client has gone. A statement can switch its own timeouts off and catch
 * a cancellation; it would run on, holding its locks, with nobody left to stop it.
 */
const END_TENANT_SESSION_SQL = `
  create function shardgate.end_tenant_session(process_id integer) returns boolean
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
  begin
    return coalesce((
      select pg_terminate_backend(a.pid) from pg_stat_activity a
      join shardgate.tenant_roles r on r.role_name = a.usename
      where a.pid = process_id and a.datname = current_database()), false);
  end $$;
  revoke execute on function shardgate.end_tenant_session(integer) from public;
`;

/** What a shard needs so that each tenant has a login of its own for raw SQL. */
export const TENANT_LOGINS_SQL = [
  TENANT_ROLES_SQL,
  SESSION_TENANT_SQL,
  ENSURE_TENANT_ROLE_SQL,
  END_TENANT_SESSION_SQL,
].join('');

/** Takes it away again; the roles themselves are the server's and stay. */
export const DROP_TENANT_LOGINS_SQL = `
  drop function shardgate.end_tenant_session(integer), shardgate.ensure_tenant_role(text, text),
    shardgate.session_tenant() cascade;
  drop table shardgate.tenant_roles;
`;
