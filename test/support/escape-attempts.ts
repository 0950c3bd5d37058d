/** Names that an attempt to escape may use: roles, and things of the tenant that it is after. */
export interface EscapeTargets {
  readonly own: string;
  readonly victim: string;
  readonly gateway: string;
  readonly admin: string;
  readonly victimTenant: string;
  /** A row of `notes.notes` that is the victim's, in bucket 7. */
  readonly victimNoteId: string;
  /** An account of the victim's. */
  readonly victimAccountId: string;
}

/** What a caller may send, in one transaction, and what the server says to the last of it. */
export interface EscapeAttempt {
  readonly what: string;
  readonly sql: readonly string[];
  /** The SQLSTATE with which the last statement is refused. None: all of it runs, and gets nowhere. */
  readonly refused?: RegExp;
  /** Whether the servers differ: then it may be refused, or run and get nowhere. */
  readonly either?: true;
}

const LOOT = 'select * from notes.notes, finance.accounts';
const READ = 'select * from notes.notes';
const NO_RIGHT = /^42501$/;

function attempt(what: string, sql: string | readonly string[], refused?: RegExp): EscapeAttempt {
  const statements = typeof sql === 'string' ? [sql] : sql;
  return { what, sql: statements, ...(refused !== undefined && { refused }) };
}

function either(what: string, sql: readonly string[]): EscapeAttempt {
  return { what, sql, either: true };
}

function becomeSomebodyElse({ own, victim, gateway, admin, victimTenant }: EscapeTargets): EscapeAttempt[] {
  return [
    ...[victim, gateway, admin].flatMap((role) => [
      attempt(`set role ${role}`, `set role ${role}`, NO_RIGHT),
      attempt(`set session authorization ${role}`, `set session authorization ${role}`, NO_RIGHT),
      attempt(`set_config of the role ${role}`, `select set_config('role', '${role}', false)`, NO_RIGHT),
      attempt(`a definer's function as ${role}`, `alter role ${role} set search_path = pg_temp`, NO_RIGHT),
      attempt(`the password of ${role}`, `alter role ${role} password 'x'`, NO_RIGHT),
    ]),
    either('becomes the group', ['set role shardgate_tenants', READ]),
    attempt('reset role', ['reset role', 'set role none', READ]),
    attempt('itself again', ['set session authorization default', `set session authorization ${own}`, READ]),
    attempt('the setting in a CTE with a lateral join', [
      `with s as materialized (select set_config('shardgate.tenant_id', '${victimTenant}', false) as v)
       select n.* from s, lateral (select * from notes.notes where s.v is not null) n`,
    ]),
    attempt('the setting', [`set shardgate.tenant_id = '${victimTenant}'`, READ]),
    attempt('the local setting in a block', [
      `do $$ begin perform set_config('shardgate.tenant_id', '${victimTenant}', true);
       create temp table loot as ${READ}; end $$`,
      'select * from loot',
    ]),
    attempt('superuser', `alter role ${own} superuser`, NO_RIGHT),
    attempt('bypassrls', `alter role ${own} bypassrls`, NO_RIGHT),
    attempt('createrole', `create role escaped superuser`, NO_RIGHT),
    attempt('another name', `alter role ${own} rename to escaped`, /^0A000$/),
    attempt('membership', `grant ${gateway} to ${own}`, NO_RIGHT),
    attempt('membership in every file', `grant pg_read_server_files, pg_read_all_data to ${own}`, NO_RIGHT),
    either('the victim as a member', [`grant ${own} to ${victim}`]),
    either('the gateway as a member', [`grant ${own} to ${gateway}`]),
    attempt('settings for its next login', `alter role ${own} set row_security = off`),
    attempt('a password of its own', `alter role ${own} password 'mine'`),
    attempt('another role for its next login', `alter role ${own} set role = 'shardgate_tenants'`),
    attempt('settings of the database', `alter database postgres set row_security = off`, /^42501$/),
    attempt('settings of all', `alter role all set row_security = off`, NO_RIGHT),
    attempt('settings of the server', `alter system set row_security = off`, /^(42501|25001)$/),
    attempt('replication role', `set session_replication_role = replica`, NO_RIGHT),
  ];
}

function readByDetour({ victimTenant, victimNoteId }: EscapeTargets): EscapeAttempt[] {
  const whole = `select * from notes.notes where tenant_id = '${victimTenant}'`;
  return [
    attempt('plain', whole),
    attempt('by id', `select * from notes.notes where id = '${victimNoteId}'`),
    attempt(
      'by place on disk',
      `select ctid, xmin, tableoid, * from notes.notes where ctid = '(0,1)' or ctid = '(0,2)'`,
    ),
    attempt('a sample', `select * from notes.notes tablesample system (100)`),
    attempt('a cursor', [`declare c cursor with hold for ${whole}`, 'fetch all from c']),
    attempt('a scrolling cursor', [
      `declare c scroll cursor for ${whole}`,
      'fetch last from c',
      'move first in c',
    ]),
    attempt('xml of a query', `select query_to_xml($$${whole}$$, true, false, '')::text`),
    attempt('xml of a table', `select table_to_xml('notes.notes'::regclass, true, false, '')::text`),
    attempt('xml of a schema', `select schema_to_xml('notes', true, false, '')::text`),
    attempt('xml of the database', `select database_to_xml(true, false, '')::text`),
    attempt('a function', [
      `create function pg_temp.f() returns setof notes.notes language sql as $$${whole}$$`,
      'select * from pg_temp.f()',
    ]),
    attempt("a definer's function", [
      `create function pg_temp.f() returns setof notes.notes language sql security definer as $$${whole}$$`,
      'select * from pg_temp.f()',
    ]),
    attempt(
      'a function with a setting',
      [
        `create function pg_temp.f() returns setof notes.notes language sql set shardgate.tenant_id = '${victimTenant}' as $$${whole}$$`,
        'select * from pg_temp.f()',
      ],
      /^42501$/,
    ),
    attempt('a prepared statement', [`prepare p as ${whole}`, 'execute p']),
    attempt('several statements', `select 1; ${whole}`, /^42601$/),
    attempt('a view', [`create temp view v with (security_barrier = false) as ${whole}`, 'select * from v']),
    attempt('row security off', ['set local row_security = off', READ], NO_RIGHT),
    attempt('parallel workers', [
      `select set_config(name, 'on', true) from pg_settings where name in ('debug_parallel_query', 'force_parallel_mode')`,
      'set local parallel_setup_cost = 0',
      'set local parallel_tuple_cost = 0',
      'set local min_parallel_table_scan_size = 0',
      READ,
    ]),
    attempt('a function that tells what it is shown', [
      'create temp table seen (body text)',
      `create function pg_temp.spy(body text) returns boolean language plpgsql cost 0.0000001 as
       $$begin insert into seen values (body); return true; end$$`,
      'select * from notes.notes where pg_temp.spy(body)',
      'select * from seen',
    ]),
    attempt(
      'a leakproof function',
      [`create function pg_temp.f(text) returns boolean language sql leakproof as 'select true'`],
      NO_RIGHT,
    ),
    attempt(
      'an error that depends on a row',
      `select * from notes.notes where 1 / (1 - (body like 'CANARY%')::int) = 1`,
    ),
    attempt(
      'a cast that quotes a value',
      `select body::int from notes.notes where tenant_id = '${victimTenant}'`,
    ),
    attempt('an aggregate', `select count(*), max(body), string_agg(body, ',') from notes.notes`),
    attempt(
      'json',
      `select to_jsonb(n), row_to_json(a) from notes.notes n full join finance.accounts a on true`,
    ),
    attempt('a whole-row variable', `select n::text from notes.notes n`),
    attempt(
      'returning',
      `update notes.notes set body = body where tenant_id = '${victimTenant}' returning *`,
    ),
    attempt('locking', `select * from notes.notes where tenant_id = '${victimTenant}' for update`),
    attempt('a plan', `explain (analyze, verbose, costs off) ${whole}`),
    attempt('everything', LOOT),
    attempt('statistics', `select * from pg_stats where schemaname in ('notes', 'finance', 'shardgate')`),
    attempt('statistics on expressions', `select * from pg_stats_ext`),
    attempt('statistics themselves', `select * from pg_statistic`, NO_RIGHT),
    attempt('passwords', `select * from pg_authid`, NO_RIGHT),
    attempt('mappings of users', `select * from pg_user_mapping`, NO_RIGHT),
    attempt("others' statements", `select datname, usename, query, client_addr from pg_stat_activity`),
    attempt('what others prepared', `select * from pg_prepared_xacts`),
    attempt('large objects', `select * from pg_largeobject`, NO_RIGHT),
    attempt('the log', `select pg_current_logfile()`, NO_RIGHT),
    attempt('changes', `select pg_create_logical_replication_slot('s', 'test_decoding')`, NO_RIGHT),
    attempt('a heap page', `select lo_get(16384)`, /^42704$/),
    ...[
      'tenant_roles',
      'lookup_entries',
      'claim_outcomes',
      'idempotency_keys',
      'installation',
      'migrations',
    ].map((table) => attempt(`shardgate.${table}`, `select * from shardgate.${table}`, NO_RIGHT)),
    attempt('the tenant of a session', `select shardgate.session_tenant()`, NO_RIGHT),
  ];
}

function writeByDetour(targets: EscapeTargets): EscapeAttempt[] {
  const { own, victim, victimTenant, victimNoteId, victimAccountId, gateway } = targets;
  const columns = '(tenant_id, id, user_id, bucket, body)';
  return [
    attempt(
      'inserts',
      `insert into notes.notes ${columns} values ('${victimTenant}', gen_random_uuid(), 'u', 1, 'x')`,
      NO_RIGHT,
    ),
    attempt('hands over', `update notes.notes set tenant_id = '${victimTenant}'`, NO_RIGHT),
    attempt('updates', `update notes.notes set body = 'x' where tenant_id = '${victimTenant}'`),
    attempt('deletes', `delete from notes.notes where id = '${victimNoteId}'`),
    attempt(
      'merges',
      `merge into notes.notes n using (select '${victimNoteId}'::uuid as id) v on n.id = v.id
      when matched then update set body = 'x' when not matched then do nothing`,
    ),
    attempt(
      'takes over by conflict',
      `insert into notes.notes ${columns} values
      ((select tenant_id from notes.notes limit 1), '${victimNoteId}', 'u', 7, 'x')
      on conflict (bucket, id) do update set body = 'x' returning *`,
      NO_RIGHT,
    ),
    attempt(
      'books on an account',
      `insert into finance.transactions
      (tenant_id, id, user_id, bucket, account_id, type, status, amount, balance_after, account_version, posting_id, actor)
      values ((select tenant_id from notes.notes limit 1), gen_random_uuid(), 'u', 7, '${victimAccountId}', 'DEPOSIT',
        'COMPLETED', 1, 1, 1, gen_random_uuid(), 'x')`,
      /^23503$/,
    ),
    ...[
      'truncate notes.notes',
      'alter table notes.notes disable row level security',
      'drop policy shardgate_tenant on notes.notes',
      'drop policy shardgate_session_tenant on notes.notes',
      'create policy open on notes.notes using (true)',
      'create index on notes.notes (body)',
      'create rule r as on select to notes.notes do instead select 1',
      'create trigger t before insert on notes.notes for each row execute function suppress_redundant_updates_trigger()',
      'alter table notes.notes owner to current_user',
      `comment on table notes.notes is 'x'`,
      'create table notes.mine (a int)',
      'create table public.mine (a int)',
      'create schema mine',
      'create temp table t () inherits (notes.notes)',
      'drop table notes.notes',
      'create function public.f() returns int language sql as $$select 1$$',
      'create cast (text as integer) with inout',
      'create operator public.=== (leftarg = text, rightarg = text, function = texteq)',
      'create extension dblink',
      'create publication p for all tables',
      `create subscription s connection 'host=127.0.0.1' publication p`,
      'create server s foreign data wrapper w',
      `create event trigger e on ddl_command_start execute function pg_temp.f()`,
      'create language plperlu',
      'create access method m type index handler bthandler',
      'vacuum full pg_authid',
      `copy notes.notes to program 'cat'`,
      `copy notes.notes to '/tmp/loot'`,
      `copy pg_temp.t from program 'id'`,
      `select pg_read_file('/etc/passwd')`,
      `select pg_ls_dir('.')`,
      `select lo_import('/etc/passwd')`,
      `select pg_stat_file('base')`,
      `select pg_terminate_backend(pid) from pg_stat_activity where usename = '${gateway}' and pid <> pg_backend_pid()`,
      'select pg_reload_conf()',
      'select pg_switch_wal()',
      'checkpoint',
      `load 'plpgsql_escape'`,
      `select shardgate.ensure_tenant_role('${victimTenant}', 'x')`,
      'select shardgate.end_tenant_session(1)',
      `drop role ${victim}`,
      `drop owned by ${victim}`,
      `drop owned by ${gateway}`,
      `reassign owned by ${victim} to ${own}`,
      `reassign owned by ${own} to ${victim}`,
      `grant all on notes.notes to public with grant option`.replace(' with grant option', ''),
    ].map((sql): EscapeAttempt => ({ what: sql, sql: [sql], either: true })),
    attempt('loads', 'copy notes.notes from stdin', /^0A000$/),
    attempt('drops what it owns', [`drop owned by ${own}`, READ]),
    either('drops what its group owns', ['drop owned by shardgate_tenants', READ]),
    either('revokes from its group', ['revoke all on notes.notes from shardgate_tenants', READ]),
    either('revokes from all', ['revoke all on function shardgate.session_tenant() from public', READ]),
  ];
}

function leaveBehind({ own }: EscapeTargets): EscapeAttempt[] {
  return [
    attempt('settings', [
      `set search_path = pg_temp`,
      `set statement_timeout = 0`,
      `set my.setting = 'x'`,
      `set timezone = 'Asia/Tokyo'`,
    ]),
    attempt('a transaction’s characteristics', [
      'set session characteristics as transaction isolation level serializable, read only',
    ]),
    attempt('a temporary table with a trigger', [
      'create temp table notes (tenant_id text, body text)',
      `create function pg_temp.steal() returns trigger language plpgsql as $$begin raise exception 'stolen'; end$$`,
      'create trigger t before insert on pg_temp.notes for each row execute function pg_temp.steal()',
    ]),
    attempt('shadows of what the policy asks', [
      'create temp table tenant_roles (role_name name, tenant_id text)',
      `create function pg_temp.session_tenant() returns text language sql as $$select 'victim'$$`,
      `create function pg_temp.current_setting(text, boolean) returns text language sql as $$select 'victim'$$`,
      `create type pg_temp.text as (a int)`,
      `create domain pg_temp.name as varchar`,
      'set local search_path = pg_temp, notes, shardgate, pg_catalog',
      READ,
    ]),
    attempt('a prepared statement', ['prepare left_behind as select 1']),
    attempt('a cursor', ['declare left_behind cursor with hold for select generate_series(1, 10)']),
    attempt('locks', [
      'select pg_advisory_lock(1), pg_advisory_lock_shared(2)',
      `select pg_advisory_lock(x'7368617264676174'::bigint)`,
    ]),
    attempt('a subscription', ['listen shardgate_catalog', 'listen everything', `notify everything, 'x'`]),
    attempt('an operator and a type', [
      'create type pg_temp.pair as (a text, b text)',
      `create function pg_temp.eq(pg_temp.pair, pg_temp.pair) returns boolean language sql as 'select true'`,
      'create operator pg_temp.= (leftarg = pg_temp.pair, rightarg = pg_temp.pair, function = pg_temp.eq)',
      `create function pg_temp.as_text(pg_temp.pair) returns text language sql as $$select 'x'::pg_catalog.text$$`,
      'create cast (pg_temp.pair as text) with function pg_temp.as_text(pg_temp.pair)',
    ]),
    attempt('a table that it locks', 'lock table notes.notes in access exclusive mode'),
    attempt(
      'a prepared transaction',
      [`update notes.notes set body = body`, `prepare transaction 'left_behind'`],
      /^(55000|0A000)$/,
    ),
    attempt('a sequence’s value', ['create temp sequence s', `select nextval('s'), currval('s')`]),
    attempt('a role that stays', [`set role ${own}`, 'set session authorization default']),
    attempt('a nested transaction', ['savepoint a', 'create temp table t (a int)', 'savepoint b']),
  ];
}

/** Every way past the wall that we know of. */
export function escapeAttempts(targets: EscapeTargets): EscapeAttempt[] {
  return [
    ...becomeSomebodyElse(targets),
    ...readByDetour(targets),
    ...writeByDetour(targets),
    ...leaveBehind(targets),
  ];
}
