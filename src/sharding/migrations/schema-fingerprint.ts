import type { SqlExecutor } from '../../common/sql-executor.js';
import { withoutGatewayNameSql } from './table-names.js';

/**
 * One line per object of the given schemas, naming it and all that matters of it. From pg_catalog, because
 * information_schema hides from the gateway's login what it may not touch. NOT NULL constraints are left to
 * their columns: PostgreSQL 18 lists them apart, 15 does not. Names of logins are written as <gateway>,
 * since shards may use different ones. Schema-qualified throughout: the caller empties the search path.
 */
const LINES_SQL = `
  with scope as (
    select n.oid, n.nspname from pg_namespace n where n.nspname = any($1::text[])
  ), tables as (
    select c.*, s.nspname, s.nspname || '.' || c.relname as name
    from pg_class c join scope s on s.oid = c.relnamespace
    where c.relkind in ('r', 'p', 'v', 'm', 'f')
      and not exists (select 1 from pg_depend d
        where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e')
  ), lines(line) as (
    select 'schema ' || nspname from scope
    union all
    select format('%s %s row security %s%s, replica identity %s',
      case relkind when 'v' then 'view' when 'm' then 'materialized view' when 'f' then 'foreign table' else 'table' end,
      name, case when relrowsecurity then 'on' else 'off' end,
      case when relforcerowsecurity then ' forced' else '' end,
      case relreplident when 'd' then 'default' when 'f' then 'full' when 'n' then 'nothing' else 'index ' || (
        select i.relname from pg_index x join pg_class i on i.oid = x.indexrelid
        where x.indrelid = tables.oid and x.indisreplident) end)
    from tables
    union all
    select format('%s column %s %s%s%s%s%s', t.name, a.attname, format_type(a.atttypid, a.atttypmod),
      case when a.attcollation <> ty.typcollation then ' collate ' || co.collname else '' end,
      case when a.attnotnull then ' not null' else '' end,
      case when a.attidentity <> '' then ' identity ' || a.attidentity::text else '' end,
      coalesce(case when a.attgenerated <> '' then ' generated ' else ' default ' end || pg_get_expr(d.adbin, d.adrelid), ''))
    from tables t
    join pg_attribute a on a.attrelid = t.oid and a.attnum > 0 and not a.attisdropped
    join pg_type ty on ty.oid = a.atttypid
    left join pg_collation co on co.oid = a.attcollation
    left join pg_attrdef d on d.adrelid = t.oid and d.adnum = a.attnum
    union all
    select format('%s index %s', t.name, pg_get_indexdef(x.indexrelid)) || case when x.indisvalid then '' else ' INVALID' end
    from tables t join pg_index x on x.indrelid = t.oid
    union all
    select format('%s constraint %s %s', t.name, k.conname, pg_get_constraintdef(k.oid))
    from tables t join pg_constraint k on k.conrelid = t.oid where k.contype <> 'n'
    union all
    select format('%s policy %s %s for %s to %s using %s check %s', t.name, p.polname,
      case when p.polpermissive then 'permissive' else 'restrictive' end, p.polcmd,
      (select string_agg(case when r.oid = 0 then 'public' when a.rolname = $2 then '<gateway>' else a.rolname end, ','
        order by a.rolname) from unnest(p.polroles) r(oid) left join pg_roles a on a.oid = r.oid),
      coalesce(${withoutGatewayNameSql('pg_get_expr(p.polqual, p.polrelid)', '$2')}, '-'),
      coalesce(${withoutGatewayNameSql('pg_get_expr(p.polwithcheck, p.polrelid)', '$2')}, '-'))
    from tables t join pg_policy p on p.polrelid = t.oid
    union all
    select format('%s trigger %s %s', t.name, pg_get_triggerdef(g.oid), g.tgenabled)
    from tables t join pg_trigger g on g.tgrelid = t.oid where not g.tgisinternal
    union all
    select format('%s grants <gateway> %s', t.name, string_agg(p.name, ', ' order by p.name))
    from tables t
    cross join pg_roles r
    cross join unnest(array['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER']) p(name)
    where r.rolname = $2 and has_table_privilege(r.oid, t.oid, p.name)
    group by t.name
    union all
    select format('%s view %s', t.name, pg_get_viewdef(t.oid)) from tables t where t.relkind in ('v', 'm')
    union all
    select format('function %s.%s(%s) %s', s.nspname, f.proname, pg_get_function_identity_arguments(f.oid),
      md5(case when f.prokind in ('f', 'p') then pg_get_functiondef(f.oid) else '' end))
    from pg_proc f join scope s on s.oid = f.pronamespace
    where not exists (select 1 from pg_depend d
      where d.classid = 'pg_proc'::regclass and d.objid = f.oid and d.deptype = 'e')
    union all
    select format('type %s.%s %s', s.nspname, t.typname,
      (select string_agg(quote_literal(e.enumlabel), ', ' order by e.enumsortorder) from pg_enum e where e.enumtypid = t.oid))
    from pg_type t join scope s on s.oid = t.typnamespace where t.typtype = 'e'
  )
  select line from lines order by line collate "C"
`;

/**
 * A database's schema as sorted lines, equal for equal schemas whatever order they were made in. Needs no
 * rights over the objects. `sql` must run with an empty search path, so that every name is qualified.
 */
export async function readSchemaLines(
  sql: SqlExecutor,
  schemas: readonly string[],
  gatewayRole: string,
): Promise<string[]> {
  const rows = await sql.query<{ line: string }>(LINES_SQL, [[...new Set(schemas)], gatewayRole]);
  return rows.map(({ line }) => line.replaceAll(/\s+/g, ' '));
}
