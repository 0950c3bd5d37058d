import type { SqlExecutor, SqlRow } from '../../common/sql-executor.js';
import type { ProtectedTable } from './migration-plan.js';
import { TENANTS_ROLE, withoutGatewayNameSql } from './table-names.js';

/** One column as the server describes it. */
interface ColumnState {
  readonly name: string;
  /** As `format_type` writes it: `text`, `smallint`, `numeric(20,4)`. */
  readonly type: string;
  readonly notNull: boolean;
}

/** One policy of row-level security. */
interface PolicyState {
  readonly name: string;
  readonly permissive: boolean;
  /** `*` for all commands. */
  readonly command: string;
  /** As the server writes it, but for the gateway's login, which reads as `<gateway>`. */
  readonly using: string | null;
  /** In the same manner. */
  readonly check: string | null;
  /** The policy is for PUBLIC and no role besides. */
  readonly onlyPublic: boolean;
  /** The policy counts for the gateway's login, directly, as PUBLIC, or through a membership. */
  readonly reachesGateway: boolean;
  /** The policy counts for logins of tenants, in the same sense. */
  readonly reachesTenants: boolean;
}

/** One index that makes something unique, exclusion constraints included. */
interface UniqueIndexState {
  readonly name: string;
  /** Key columns in order; null where the key is an expression. */
  readonly columns: readonly (string | null)[];
  /** Usable as a replica identity: unique, valid, immediate, whole-table. */
  readonly plain: boolean;
  readonly isReplicaIdentity: boolean;
}

/** One foreign key to another table. */
interface ForeignKeyState {
  readonly name: string;
  readonly schema: string;
  readonly table: string;
  /** It joins tenant_id with tenant_id. */
  readonly joinsTenant: boolean;
}

/** What one role may do with a table, however it came by it. */
interface RoleRights {
  readonly schemaUsage: boolean;
  /** Rights over the table. */
  readonly privileges: readonly string[];
  /** Sequences behind the table's serial columns that the role may not use yet. */
  readonly lockedSequences: readonly { readonly schema: string; readonly name: string }[];
}

/** A table as the server describes it, as far as its protection goes. */
export interface TableState {
  readonly isTable: boolean;
  readonly rowSecurity: boolean;
  readonly forceRowSecurity: boolean;
  /** `d` default, `i` by index, `f` full, `n` nothing. */
  readonly replicaIdentity: string;
  readonly columns: readonly ColumnState[];
  readonly policies: readonly PolicyState[];
  readonly uniqueIndexes: readonly UniqueIndexState[];
  readonly foreignKeys: readonly ForeignKeyState[];
  /** Names of the validated CHECK constraints. */
  readonly checks: readonly string[];
  /** What the gateway's login may do. */
  readonly gateway: RoleRights;
  /** What the logins of tenants may do; null where their group is not there, so that there are none. */
  readonly tenants: RoleRights | null;
}

/** What a role, whose oid the expression gives, may do with the table c. */
function rightsSql(role: string): string {
  return `json_build_object(
      'schemaUsage', has_schema_privilege(${role}, c.relnamespace, 'usage'),
      'privileges', (select coalesce(json_agg(p.name), '[]')
        from unnest(array['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER']) p(name)
        where has_table_privilege(${role}, c.oid, p.name)),
      'lockedSequences', (select coalesce(json_agg(json_build_object('schema', sn.nspname, 'name', s.relname)), '[]')
        from pg_depend d
        join pg_class s on s.oid = d.objid and s.relkind = 'S'
        join pg_namespace sn on sn.oid = s.relnamespace
        where d.refobjid = c.oid and d.deptype = 'a' and d.classid = 'pg_class'::regclass
          and d.refclassid = 'pg_class'::regclass
          and case when s.relkind = 'S' then not has_sequence_privilege(${role}, s.oid, 'usage') end))`;
}

/** Reads only system catalogs, so that the gateway's own login can run it too. */
const TABLE_STATE_SQL = `
  select
    c.relkind in ('r', 'p') as "isTable",
    c.relrowsecurity as "rowSecurity",
    c.relforcerowsecurity as "forceRowSecurity",
    c.relreplident::text as "replicaIdentity",
    (select coalesce(json_agg(json_build_object(
        'name', a.attname, 'type', format_type(a.atttypid, a.atttypmod), 'notNull', a.attnotnull)), '[]')
      from pg_attribute a where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped) as columns,
    (select coalesce(json_agg(json_build_object(
        'name', p.polname, 'permissive', p.polpermissive, 'command', p.polcmd,
        'using', ${withoutGatewayNameSql('pg_get_expr(p.polqual, p.polrelid)', 'gateway.rolname')},
        'check', ${withoutGatewayNameSql('pg_get_expr(p.polwithcheck, p.polrelid)', 'gateway.rolname')},
        'onlyPublic', p.polroles = array[0::oid],
        'reachesGateway', exists (
          select 1 from unnest(p.polroles) r(oid)
          where case when r.oid = 0 then true else pg_has_role(gateway.oid, r.oid, 'member') end),
        'reachesTenants', exists (
          select 1 from unnest(p.polroles) r(oid) left join pg_roles a on a.oid = r.oid
          where case when r.oid = 0 or a.rolname like 'shardgate\\_t\\_%' then true
            else coalesce(pg_has_role(tenants.oid, r.oid, 'member'), false) end))), '[]')
      from pg_policy p where p.polrelid = c.oid) as policies,
    (select coalesce(json_agg(json_build_object(
        'name', i.relname,
        'columns', (select json_agg(a.attname order by k.position)
          from unnest(x.indkey::int2[]) with ordinality k(attnum, position)
          left join pg_attribute a on a.attrelid = c.oid and a.attnum = k.attnum and k.attnum > 0
          where k.position <= x.indnkeyatts),
        'plain', x.indisunique and x.indisvalid and x.indimmediate and x.indpred is null and x.indexprs is null,
        'isReplicaIdentity', x.indisreplident)), '[]')
      from pg_index x join pg_class i on i.oid = x.indexrelid
      where x.indrelid = c.oid and (x.indisunique or x.indisexclusion)) as "uniqueIndexes",
    (select coalesce(json_agg(json_build_object(
        'name', f.conname, 'schema', rn.nspname, 'table', rc.relname,
        'joinsTenant', exists (
          select 1 from unnest(f.conkey, f.confkey) k(own, referenced)
          join pg_attribute o on o.attrelid = f.conrelid and o.attnum = k.own
          join pg_attribute r on r.attrelid = f.confrelid and r.attnum = k.referenced
          where o.attname = 'tenant_id' and r.attname = 'tenant_id'))), '[]')
      from pg_constraint f
      join pg_class rc on rc.oid = f.confrelid
      join pg_namespace rn on rn.oid = rc.relnamespace
      where f.conrelid = c.oid and f.contype = 'f') as "foreignKeys",
    (select coalesce(json_agg(k.conname), '[]')
      from pg_constraint k where k.conrelid = c.oid and k.contype = 'c' and k.convalidated) as checks,
    ${rightsSql('gateway.oid')} as gateway,
    case when tenants.oid is not null then ${rightsSql('tenants.oid')} end as tenants
  from pg_class c
  join pg_namespace n on n.oid = c.relnamespace
  cross join (select oid, rolname from pg_roles where rolname = $3) gateway
  left join (select oid from pg_roles where rolname = '${TENANTS_ROLE}') tenants on true
  where n.nspname = $1 and c.relname = $2
`;

/** The table's state as `gatewayRole` is concerned; undefined when there is no such table (or no such role). */
export async function readTableState(
  sql: SqlExecutor,
  table: ProtectedTable,
  gatewayRole: string,
): Promise<TableState | undefined> {
  const [row] = await sql.query<TableState & SqlRow>(TABLE_STATE_SQL, [
    table.schema,
    table.table,
    gatewayRole,
  ]);
  return row;
}
