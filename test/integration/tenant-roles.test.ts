import { randomUUID } from 'node:crypto';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { ConfigurationError, PoolExhaustedError } from '../../src/common/gateway-error.js';
import { SILENT_LOG } from '../../src/common/log.js';
import type { SqlRow } from '../../src/common/sql-executor.js';
import { migrateShards } from '../../src/sharding/migrations/migrator.js';
import { TenantConnections } from '../../src/sharding/tenant-roles/tenant-connections.js';
import { TenantCredentials } from '../../src/sharding/tenant-roles/tenant-credentials.js';
import { TenantLoginUnavailableError } from '../../src/sharding/tenant-roles/tenant-login-unavailable-error.js';
import { readTenantLoginFacts } from '../../src/cli/doctor/tenant-login-facts.js';
import { callersSqlOn } from '../support/callers-sql.js';
import { eventually } from '../support/eventually.js';
import { notesPlan } from '../support/notes-migrations.js';
import { ownDatabases, runAsAdmin } from '../support/own-databases.js';
import { TestConnection } from '../support/scratch-shards.js';
import { TENANT_OPTIONS, tenantFixture, type TenantFixture } from '../support/tenant-fixture.js';

let fixture: TenantFixture;

beforeAll(async () => {
  fixture = await tenantFixture();
  await fixture.admin.query(`
    insert into notes.notes (tenant_id, id, user_id, bucket, body) values
      ('acme', gen_random_uuid(), 'u1', 7, 'of acme'), ('other', gen_random_uuid(), 'u1', 7, 'of other')`);
}, 60_000);

const BODIES = 'select body from notes.notes order by body';

function attributesOf(tenantId: string) {
  return fixture.admin.query(
    `select r.rolcanlogin, r.rolsuper, r.rolcreaterole, r.rolcreatedb, r.rolreplication, r.rolbypassrls, r.rolconfig,
       array(select g.rolname::text from pg_auth_members m join pg_roles g on g.oid = m.roleid where m.member = r.oid) as groups
     from pg_roles r where r.rolname = $1`,
    [fixture.credentials.roleName(tenantId)],
  );
}

const PLAIN = {
  rolcanlogin: true,
  rolsuper: false,
  rolcreaterole: false,
  rolcreatedb: false,
  rolreplication: false,
  rolbypassrls: false,
  rolconfig: null,
  groups: ['shardgate_tenants'],
};

describe('A tenant’s login', () => {
  it('is made at its first use, sees and writes its own rows alone', async () => {
    const raw = callersSqlOn(fixture.connections());
    expect(await raw.query('acme', BODIES)).toEqual([{ body: 'of acme' }]);
    expect(await raw.query('other', BODIES)).toEqual([{ body: 'of other' }]);
    expect(await raw.query('nobody', BODIES)).toEqual([]);
    const insert = `insert into notes.notes (tenant_id, id, user_id, bucket) values ($1, gen_random_uuid(), 'u', 1)`;
    await expect(raw.query('acme', insert, ['other'])).rejects.toMatchObject({ code: '42501' });
    await expect(raw.query('acme', `update notes.notes set tenant_id = 'other'`)).rejects.toMatchObject({
      code: '42501',
    });
    expect(await attributesOf('acme')).toEqual([PLAIN]);
  });

  it('has the rights of the gateway’s own login over each entity, and none over the gateway’s own tables', async () => {
    const raw = callersSqlOn(fixture.connections());
    await expect(raw.query('acme', 'delete from finance.accounts')).rejects.toMatchObject({ code: '42501' });
    expect(await raw.query('acme', 'update finance.accounts set version = version')).toEqual([]);
    for (const table of [
      'tenant_roles',
      'lookup_entries',
      'claim_outcomes',
      'idempotency_keys',
      'installation',
    ]) {
      await expect(raw.query('acme', `select * from shardgate.${table}`)).rejects.toMatchObject({
        code: '42501',
      });
    }
  });

  it('is one role, made once, when many ask for it at the same time', async () => {
    const tenantId = 'many';
    const separate = [fixture.connections(), fixture.connections(), fixture.connections()];
    const answers = await Promise.all(
      separate.flatMap((connections) => {
        const raw = callersSqlOn(connections);
        return Array.from({ length: 5 }, () => raw.query(tenantId, 'select session_user::text as who'));
      }),
    );
    expect(new Set(answers.map(([row]) => row?.who))).toEqual(
      new Set([fixture.credentials.roleName(tenantId)]),
    );
    expect(await attributesOf(tenantId)).toEqual([PLAIN]);
  });

  it('is put right when its own session changed its password, settings or members', async () => {
    const first = callersSqlOn(fixture.connections());
    const role = fixture.credentials.roleName('acme');
    await first.query('other', 'select 1');
    await first.query('acme', `alter role ${role} password 'mine'`);
    await first.query('acme', `alter role ${role} set search_path = pg_temp`);
    await first.query('acme', `alter role ${role} set local_preload_libraries = 'no_such_library'`);
    // Up to PostgreSQL 15 a role may make others its members; later it takes an administrator.
    await fixture.admin.query(`grant ${role} to ${fixture.credentials.roleName('other')}`);
    const second = callersSqlOn(fixture.connections());
    expect(await second.query('acme', 'show search_path')).toEqual([{ search_path: '"$user", public' }]);
    expect(await attributesOf('acme')).toEqual([PLAIN]);
    expect(await attributesOf('other')).toEqual([PLAIN]);
  });

  it('is not given to anybody while it carries settings for this database', async () => {
    const first = callersSqlOn(fixture.connections());
    const role = fixture.credentials.roleName('acme');
    const database = new URL(fixture.primaryUrl).pathname.slice(1);
    await first.query('acme', `alter role ${role} in database ${database} set enable_seqscan = off`);
    const second = callersSqlOn(fixture.connections());
    expect(await second.query('acme', 'show enable_seqscan')).toEqual([{ enable_seqscan: 'on' }]);
  });

  it('follows when the password of the gateway’s login changes', async () => {
    const changed = new URL(fixture.primaryUrl);
    changed.password = 'another';
    const { installationId, shardId } = fixture;
    const credentials = new TenantCredentials({ installationId, shardId, primaryUrl: changed.href });
    const raw = callersSqlOn(fixture.connections({}, credentials));
    expect(await raw.query('acme', BODIES)).toEqual([{ body: 'of acme' }]);
    expect(await callersSqlOn(fixture.connections()).query('acme', BODIES)).toEqual([{ body: 'of acme' }]);
  });

  it('is made again when the database has forgotten whose role it is', async () => {
    await callersSqlOn(fixture.connections()).query('acme', 'select 1');
    await fixture.admin.query(`delete from shardgate.tenant_roles where tenant_id = 'acme'`);
    expect(await callersSqlOn(fixture.connections()).query('acme', BODIES)).toEqual([{ body: 'of acme' }]);
  });

  it('is refused, with what to do about it, where the url has no password', async () => {
    const bare = new URL(fixture.primaryUrl);
    bare.password = '';
    const { installationId, shardId } = fixture;
    const credentials = new TenantCredentials({ installationId, shardId, primaryUrl: bare.href });
    const refused = fixture.connections({}, credentials).acquire('acme');
    await expect(refused).rejects.toThrow(ConfigurationError);
    await expect(refused).rejects.toThrow(/needs a password in the url/);
  });
});

describe('shardgate.ensure_tenant_role', () => {
  const ensure = (tenantId: string | null, verifier: string | null) =>
    fixture.own.query('select shardgate.ensure_tenant_role($1, $2) as role', [tenantId, verifier]);

  it('refuses what is neither a tenant nor a verifier', async () => {
    const verifier = fixture.credentials.verifier('acme');
    for (const tenantId of ['', 'A', `x'; drop table notes.notes; --`, 'x\n', 'x'.repeat(64), null]) {
      await expect(ensure(tenantId, verifier)).rejects.toMatchObject({ code: '22023' });
    }
    for (const bad of ['clear', `${verifier}'`, `${verifier}\n`, 'md5' + '0'.repeat(32), '', null]) {
      await expect(ensure('acme', bad)).rejects.toMatchObject({ code: '22023' });
    }
  });

  it('makes no role of a tenant out of one that has rights', async () => {
    const tenantId = 'privileged';
    await fixture.admin.query(`create role ${fixture.credentials.roleName(tenantId)} createdb`);
    await expect(ensure(tenantId, fixture.credentials.verifier(tenantId))).rejects.toMatchObject({
      code: '42501',
    });
  });

  it('is the gateway’s alone, as is ending sessions', async () => {
    const raw = callersSqlOn(fixture.connections());
    for (const call of [`ensure_tenant_role('acme', 'x')`, 'end_tenant_session(1)', 'session_tenant()']) {
      await expect(raw.query('acme', `select shardgate.${call}`)).rejects.toMatchObject({ code: '42501' });
    }
  });

  it('ends sessions of tenants and no others', async () => {
    const [own] = await fixture.admin.query<{ pid: number }>('select pg_backend_pid() as pid');
    const ended = await fixture.own.query('select shardgate.end_tenant_session($1) as ended', [own!.pid]);
    expect(ended).toEqual([{ ended: false }]);
    expect(await fixture.admin.query('select 1 as alive')).toEqual([{ alive: 1 }]);
  });
});

describe('Connections of tenants', () => {
  it('give one tenant half of the places at most, and others their turn', async () => {
    const connections = fixture.connections({ max: 2 });
    const [acme, other] = [await connections.acquire('acme'), await connections.acquire('other')];
    const more = connections.acquire('acme');
    const third = connections.acquire('third');
    connections.release(other, false);
    // Its turn comes although acme asked before: acme has its half.
    connections.release(await third, false);
    connections.release(acme, false);
    connections.release(await more, false);
    await eventually('all are wiped', () => connections.inUse === 0);
    expect(connections.use.open).toBeLessThanOrEqual(2);
  });

  it('close the one not used for the longest time when another tenant needs its place', async () => {
    const connections = fixture.connections({ max: 2 });
    const raw = callersSqlOn(connections);
    const pid = async (tenantId: string) =>
      (await raw.query(tenantId, 'select pg_backend_pid() as pid'))[0]?.pid;
    const [acme, other] = [await pid('acme'), await pid('other')];
    await eventually('both are idle', () => connections.use.idle === 2);
    await pid('third');
    await eventually('the third is idle', () => connections.use.idle === 2);
    expect(await pid('other')).toBe(other);
    await eventually('all are idle', () => connections.use.idle === 2);
    expect(await pid('acme')).not.toBe(acme);
  });

  it('are closed when nobody uses them', async () => {
    const connections = fixture.connections({ idleMs: 10 });
    await callersSqlOn(connections).query('acme', 'select 1');
    expect(await eventually('it is closed', () => connections.use.open === 0)).toBe(true);
  });

  it('say that they are exhausted, in time, and go on afterwards', async () => {
    const connections = fixture.connections({ max: 1, acquireTimeoutMs: 50 });
    const held = await connections.acquire('acme');
    await expect(connections.acquire('other')).rejects.toThrow(PoolExhaustedError);
    connections.release(held, false);
    const next = await eventually('it is wiped', () => connections.acquire('other'));
    connections.release(next, false);
    expect(connections.inUse).toBe(1);
  });

  it('all break when the node is given up, and are made anew afterwards', async () => {
    const connections = fixture.connections({ max: 2, statementTimeoutMs: 60_000 });
    const held = await connections.acquire('acme');
    const waiting = connections.acquire('acme');
    const underWay = held.query('select pg_sleep(60)');
    connections.cut();
    await expect(underWay).rejects.toThrow(/Connection terminated/);
    await expect(waiting).rejects.toThrow(/Connection terminated/);
    connections.release(held, true);
    expect(await callersSqlOn(connections).query('acme', BODIES)).toEqual([{ body: 'of acme' }]);
  });

  it('end a statement on the server that nobody waits for any more, whatever it does against it', async () => {
    const connections = fixture.connections({ max: 2 });
    const held = await connections.acquire('acme');
    await held.query(`set statement_timeout = 0`);
    const { rows } = await held.query<{ pid: number }>('select pg_backend_pid() as pid');
    const stubborn = held.query(`do $$ begin loop
      begin perform pg_sleep(60); exception when query_canceled then null; end;
    end loop; end $$`);
    stubborn.catch(() => undefined);
    const runs = async () =>
      (await fixture.admin.query(`select 1 from pg_stat_activity where pid = $1`, [rows[0]!.pid])).length > 0;
    expect(await runs()).toBe(true);
    connections.release(held, true);
    expect(await eventually('it is ended', async () => !(await runs()))).toBe(true);
  });

  it('are told apart from those of another tenant by the server itself', async () => {
    const connections = fixture.connections({ max: 4 });
    const [acme, other] = await Promise.all([connections.acquire('acme'), connections.acquire('other')]);
    const who = 'select session_user::text as who';
    expect((await acme.query(who)).rows).toEqual([{ who: fixture.credentials.roleName('acme') }]);
    expect((await other.query(who)).rows).toEqual([{ who: fixture.credentials.roleName('other') }]);
    connections.release(acme, false);
    connections.release(other, false);
  });
});

describe('A replica', () => {
  it('sends the reader to the primary until it knows the tenant’s login', async () => {
    const tenantId = `t-${randomUUID()}`;
    const replica = fixture.replicaConnections();
    await expect(replica.acquire(tenantId)).rejects.toThrow(TenantLoginUnavailableError);
    await callersSqlOn(fixture.connections()).query(tenantId, 'select 1');
    const connection = await eventually('it is replayed', () => replica.acquire(tenantId));
    const { rows } = await connection.query('select session_user::text as who');
    expect(rows).toEqual([{ who: fixture.credentials.roleName(tenantId) }]);
    replica.release(connection, false);
  });

  it('shows a tenant’s login its own rows alone', async () => {
    await callersSqlOn(fixture.connections()).query('acme', 'select 1');
    const replica = fixture.replicaConnections();
    const connection = await eventually('it is replayed', () => replica.acquire('acme'));
    expect((await connection.query(BODIES)).rows).toEqual([{ body: 'of acme' }]);
    replica.release(connection, false);
  });

  it('lends no login that carries settings', async () => {
    const raw = callersSqlOn(fixture.connections());
    const role = fixture.credentials.roleName('touched');
    await raw.query('touched', `alter role ${role} set search_path = pg_temp`);
    const [{ lsn } = { lsn: '' }] = await fixture.admin.query<{ lsn: string }>(
      'select pg_current_wal_lsn()::text as lsn',
    );
    await eventually('it is replayed', async () => {
      const { rows } = await runAsAdmin(
        fixture.replicaUrl,
        `select pg_last_wal_replay_lsn() >= '${lsn}' as replayed`,
      );
      return (rows[0] as { replayed: boolean }).replayed;
    });
    await expect(fixture.replicaConnections().acquire('touched')).rejects.toThrow(
      TenantLoginUnavailableError,
    );
  });
});

describe('An administrator that is no superuser', () => {
  /** A shard of its own, migrated with such a login; the tenant’s connections to it. */
  async function shardOf(attributes: string, more: (role: string) => string) {
    const { shards } = await ownDatabases();
    const { id: shardId, primary } = shards[0]!;
    const role = `adm_${randomUUID().slice(0, 8)}`;
    const database = new URL(primary.url).pathname.slice(1);
    await runAsAdmin(
      primary.adminUrl,
      `create role ${role} login ${attributes} password 'x'; alter database ${database} owner to ${role}; ${more(role)}`,
    );
    const adminUrl = new URL(primary.adminUrl);
    [adminUrl.username, adminUrl.password] = [role, 'x'];
    const installationId = randomUUID();
    const target = { shardId, adminUrl: adminUrl.href, gatewayRole: new URL(primary.url).username };
    const [report] = await migrateShards([target], notesPlan(installationId));
    const credentials = new TenantCredentials({ installationId, shardId, primaryUrl: primary.url });
    const own = await TestConnection.open(primary.url);
    const node = { id: shardId, url: primary.url, role: 'primary' } as const;
    const connections = new TenantConnections(node, credentials, own, TENANT_OPTIONS, SILENT_LOG);
    return { report, connections };
  }

  it('needs CREATEROLE, and the admin option on the group of tenants', async () => {
    const { report, connections } = await shardOf(
      'createrole',
      (role) => `grant shardgate_tenants to ${role} with admin option`,
    );
    expect(report?.error).toBeUndefined();
    expect(
      await callersSqlOn(connections).query('acme', 'select count(*)::int as n from notes.notes'),
    ).toEqual([{ n: 0 }]);
    await connections.end();
  });

  it('without it migrates all the same, and raw SQL says what to grant', async () => {
    const { report, connections } = await shardOf('nocreaterole', () => '');
    expect(report?.error).toBeUndefined();
    const refused = connections.acquire('acme');
    await expect(refused).rejects.toThrow(ConfigurationError);
    await expect(refused).rejects.toThrow(/give the login of adminUrl CREATEROLE/);
    await connections.end();
  });
});

describe('doctor', () => {
  it('finds tenants’ logins as they were made, and sees what was changed', async () => {
    const facts = () => readTenantLoginFacts(fixture.own, new URL(fixture.adminUrl).username);
    await callersSqlOn(fixture.connections()).query('examined', 'select 1');
    const before = await facts();
    expect(before).toMatchObject({
      groupExists: true,
      adminMayCreateRoles: true,
      openSchemas: [],
      preparedTransactions: 0,
    });
    const role = fixture.credentials.roleName('examined');
    await fixture.admin.query(
      `alter role ${role} set work_mem = '1MB'; alter role ${role} createdb; grant create on schema notes to public`,
    );
    expect(await facts()).toMatchObject({
      openSchemas: ['schema notes'],
      rolesWithSettings: before!.rolesWithSettings + 1,
      rolesWithRights: before!.rolesWithRights + 1,
    });
    await fixture.admin.query('revoke create on schema notes from public');
    expect(await readTenantLoginFacts(fixture.own, new URL(fixture.primaryUrl).username)).toMatchObject({
      adminMayCreateRoles: false,
    });
  });
});

describe('The policy of an entity’s table', () => {
  const LIST = `select * from notes.notes where tenant_id = 'bulk-7' order by id limit 5`;
  const BY_IDS = `select * from notes.notes where tenant_id = 'bulk-7' and id = any('{${randomUUID()},${randomUUID()}}')`;
  const explain = (sql: string) => `explain (analyze, costs off, timing off, summary off) ${sql}`;
  const textOf = (rows: readonly unknown[]) =>
    rows.map((row) => Object.values(row as object).join()).join('\n');

  /** What one statement of the library gives, on the gateway’s own login. */
  async function asGateway(sql: string, tenantId: string): Promise<unknown[]> {
    const own = await fixture.own.acquire();
    try {
      await own.query(`begin; set local shardgate.tenant_id = '${tenantId}'`);
      const { rows } = await own.query<SqlRow>(sql);
      return rows;
    } finally {
      await own.query('rollback');
      fixture.own.release(own, false);
    }
  }

  const logins: [string, (sql: string) => Promise<unknown[]>][] = [
    ['the gateway’s own', (sql) => asGateway(sql, 'bulk-7')],
    ['a tenant’s', (sql) => callersSqlOn(fixture.connections()).query('bulk-7', sql)],
  ];

  beforeAll(async () => {
    await fixture.admin.query(`
      insert into notes.notes (tenant_id, id, user_id, bucket, body)
      select 'bulk-' || n % 50, gen_random_uuid(), 'u1', n % 4096, 'x' from generate_series(1, 20000) n`);
    await fixture.admin.query('analyze notes.notes');
  });

  it.each(logins)('lets %s login read a list in the order of an index, and stop', async (_, query) => {
    const plan = textOf(await query(explain(LIST)));
    expect(plan).toMatch(/Index Scan using .*rows=5(\.00)? .*\n.*Index Cond: \(tenant_id = 'bulk-7'/);
    expect(plan).not.toMatch(/Sort|Bitmap/);
    expect(await query(LIST)).toHaveLength(5);
  });

  it.each(logins)('lets %s login find rows by tenant and ids in an index', async (_, query) => {
    expect(textOf(await query(explain(BY_IDS)))).toMatch(
      /Index Cond: \(\(tenant_id = 'bulk-7'.* AND \(id = ANY/,
    );
  });

  it.each(logins)('is worked out once per statement for %s login', async (_, query) => {
    const plan = textOf(await query(explain('select count(*) from notes.notes')));
    expect(plan).toMatch(/InitPlan 1.*\n +-> +Result \(actual rows=1(\.00)? loops=1\)/);
    expect(plan).not.toMatch(/SubPlan|InitPlan 2/);
  });

  it('shows nothing to a login that is neither, whatever tenant it names', async () => {
    const role = `stranger_${randomUUID().slice(0, 8)}`;
    await fixture.admin.query(`create role ${role} login password 'x'; grant usage on schema notes to ${role};
      grant select, insert on notes.notes to ${role}`);
    const url = new URL(fixture.primaryUrl);
    [url.username, url.password] = [role, 'x'];
    const stranger = await TestConnection.open(url.href);
    await stranger.as('bulk-7', async () => {
      expect(await stranger.query('select from notes.notes')).toEqual([]);
      await expect(
        stranger.query(
          `insert into notes.notes (tenant_id, id, user_id, bucket) values ('bulk-7', gen_random_uuid(), 'u', 1)`,
        ),
      ).rejects.toMatchObject({ code: '42501' });
    });
    await fixture.admin.query(`drop owned by ${role}; drop role ${role}`);
  });

  it('is there after the gateway’s login, or a tenant’s, dropped what it owns', async () => {
    const policies = () =>
      fixture.admin.query(`select polname from pg_policy where polrelid = 'notes.notes'::regclass`);
    await fixture.admin.query('begin');
    await fixture.admin.query(`drop owned by ${new URL(fixture.primaryUrl).username}, shardgate_tenants`);
    expect(await policies()).toEqual([{ polname: 'shardgate_tenant' }]);
    await fixture.admin.query('rollback');
  });

  it('does not ask for the session’s tenant on the gateway’s own login', async () => {
    await fixture.admin.query(`create or replace function shardgate.session_tenant() returns text
      language plpgsql stable parallel safe security definer set search_path = pg_catalog, pg_temp as
      $$begin raise exception 'it was asked'; end$$`);
    expect(await asGateway('select from notes.notes', 'bulk-7')).toHaveLength(400);
    expect(await asGateway(LIST, 'bulk-7')).toHaveLength(5);
    await expect(callersSqlOn(fixture.connections()).query('bulk-7', BODIES)).rejects.toThrow(/it was asked/);
  });
});
