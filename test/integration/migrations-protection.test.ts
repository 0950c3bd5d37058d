import { randomUUID } from 'node:crypto';
import { escapeIdentifier } from 'pg';
import { beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { findDrift } from '../../src/sharding/migrations/drift.js';
import { inspectShard } from '../../src/sharding/migrations/inspect-shard.js';
import type { MigrationTarget, ProtectedTable } from '../../src/sharding/migrations/migration-plan.js';
import { migrateShards } from '../../src/sharding/migrations/migrator.js';
import { notesPlan } from '../support/notes-migrations.js';
import { scratchShards, TestConnection, type ScratchShards } from '../support/scratch-shards.js';

const ID = '0190b8e0-0000-8abc-8000-000000000001';
const OTHER_ID = '0190b8e0-0000-8abc-8000-000000000002';

let shards: ScratchShards;
let target: MigrationTarget;
let admin: TestConnection;
let gateway: TestConnection;

beforeAll(async () => {
  shards = await scratchShards();
  target = shards.targets[0]!;
  admin = await TestConnection.open(target.adminUrl);
  gateway = await TestConnection.open(shards.urls.get(target.shardId)!);
}, 60_000);

async function protect(...tables: ProtectedTable[]) {
  const plan = notesPlan(shards.installationId);
  const [report] = await migrateShards([target], {
    ...plan,
    protectedTables: [...plan.protectedTables, ...tables],
  });
  return report?.error;
}

describe('A table of tenants', () => {
  beforeEach(async () => {
    await admin.query('drop schema if exists shardgate, finance, notes, extra cascade');
    await admin.query('create schema extra');
    expect(await protect()).toBeUndefined();
    await admin.query(
      `insert into notes.notes (tenant_id, id, user_id, bucket, body)
       values ('acme', '${ID}', 'u1', 7, 'of acme'), ('other', '${OTHER_ID}', 'u1', 7, 'of other')`,
    );
  });

  it('shows the gateway nothing without a tenant, and its own rows alone with one', async () => {
    const read = () => gateway.query<{ body: string }>('select body from notes.notes');
    expect(await read()).toEqual([]);
    expect(await gateway.as('acme', read)).toEqual([{ body: 'of acme' }]);
    expect(await gateway.as('other', read)).toEqual([{ body: 'of other' }]);
    // A setting that was local to a transaction reads as '' afterwards.
    expect(await read()).toEqual([]);
    await admin.query(
      `insert into notes.notes (tenant_id, id, user_id, bucket) values ('', gen_random_uuid(), 'u1', 7)`,
    );
    expect(await read()).toEqual([]);
  });

  it.each([
    [
      'insert a row of',
      `insert into notes.notes (tenant_id, id, user_id, bucket) values ('other', gen_random_uuid(), 'u', 1)`,
    ],
    ['hand a row to', `update notes.notes set tenant_id = 'other'`],
    ['switch off what keeps it from', 'alter table notes.notes disable row level security'],
    ['open a policy on the rows of', 'create policy open on notes.notes using (true)'],
    ['drop the policy that keeps it from', 'drop policy shardgate_tenant on notes.notes'],
    ['empty the table with the rows of', 'truncate notes.notes'],
    [
      'attach a trigger to the rows of',
      'create trigger t before insert on notes.notes for each row execute function suppress_redundant_updates_trigger()',
    ],
    ['become the owner of the rows of', 'set local role <owner>'],
    ['load rows past the policy of', `copy notes.notes from stdin`],
    ['look past the policy at', `set local row_security = off; select * from notes.notes`],
  ])('does not let the gateway %s another tenant', async (_, sql) => {
    const owner = decodeURIComponent(new URL(target.adminUrl).username);
    const statement = sql.replace('<owner>', owner);
    await expect(gateway.as('acme', () => gateway.query(statement))).rejects.toMatchObject({
      code: expect.stringMatching(/^(42501|0A000)$/),
    });
    expect(await admin.query('select 1 from notes.notes')).toHaveLength(2);
  });

  it('changes and deletes nothing of another tenant', async () => {
    await gateway.as('acme', async () => {
      expect(await gateway.query(`update notes.notes set body = 'x' returning id`)).toEqual([{ id: ID }]);
      expect(await gateway.query(`delete from notes.notes where id = '${OTHER_ID}' returning id`)).toEqual(
        [],
      );
    });
  });

  it('can be published by bucket, and updated then', async () => {
    await admin.query('create publication buckets for table notes.notes where (bucket = 7)');
    await gateway.as('acme', async () => {
      expect(await gateway.query(`update notes.notes set body = 'x' returning id`)).toHaveLength(1);
    });
    await admin.query('drop publication buckets');
  });

  it('holds buckets of the map, or of the shard itself, alone', async () => {
    const insert = (bucket: number) =>
      admin.query(
        `insert into notes.notes (tenant_id, id, user_id, bucket) values ('acme', gen_random_uuid(), 'u', ${bucket})`,
      );
    await expect(insert(4096)).rejects.toMatchObject({ constraint: 'shardgate_bucket_range' });
    await expect(insert(-2)).rejects.toMatchObject({ constraint: 'shardgate_bucket_range' });
    expect(await insert(4095)).toEqual([]);
    expect(await insert(-1)).toEqual([]);
  });

  it('is put right by the next run when its protection was undone', async () => {
    await admin.query(`
      alter table notes.notes disable row level security;
      alter table notes.notes no force row level security;
      alter table notes.notes replica identity default;
      drop policy shardgate_tenant on notes.notes;
      create policy shardgate_tenant on notes.notes using (true);
      grant truncate, trigger on notes.notes to public;
      revoke insert on notes.notes from ${target.gatewayRole}`);
    expect(await protect()).toBeUndefined();
    expect(await gateway.query('select 1 from notes.notes')).toEqual([]);
    await expect(gateway.query('truncate notes.notes')).rejects.toMatchObject({ code: '42501' });
    const inserted = await gateway.as('acme', () =>
      gateway.query(
        `insert into notes.notes (tenant_id, id, user_id, bucket) values ('acme', gen_random_uuid(), 'u', 1) returning bucket`,
      ),
    );
    expect(inserted).toEqual([{ bucket: 1 }]);
  });

  it('has one policy, which a run that finds it leaves as it is', async () => {
    const policies = () =>
      admin.query<{ oid: number; polname: string }>(
        `select oid, polname from pg_policy where polrelid = 'notes.notes'::regclass`,
      );
    const found = await policies();
    expect(found.map(({ polname }) => polname)).toEqual(['shardgate_tenant']);
    await admin.query('create policy shardgate_session_tenant on notes.notes using (true)');
    expect(await protect()).toBeUndefined();
    expect(await policies()).toEqual(found);
  });

  it('is bound to the server’s own functions, whatever search path the administrator has', async () => {
    const owner = decodeURIComponent(new URL(target.adminUrl).username);
    const database = new URL(target.adminUrl).pathname.slice(1);
    await admin.query(`
      create function extra.starts_with(text, text) returns boolean language sql as 'select true';
      create function extra.current_setting(text, boolean) returns text language sql as $$select 'acme'$$;
      alter role ${owner} in database ${database} set search_path = extra, shardgate, pg_catalog;
      drop policy shardgate_tenant on notes.notes`);
    try {
      expect(await protect()).toBeUndefined();
    } finally {
      await admin.query(`alter role ${owner} in database ${database} reset search_path`);
    }
    const others = `select from pg_depend d join pg_policy p on p.oid = d.objid and d.classid = 'pg_policy'::regclass
      join pg_proc f on f.oid = d.refobjid and d.refclassid = 'pg_proc'::regclass where f.pronamespace = 'extra'::regnamespace`;
    expect(await admin.query(others)).toEqual([]);
    expect(await gateway.query('select from notes.notes')).toEqual([]);
    expect(await protect()).toBeUndefined();
  });

  it('gives the gateway the sequences behind its serial columns', async () => {
    await admin.query(`create table extra.numbered (
      tenant_id text not null, id uuid not null, user_id text not null, bucket smallint not null,
      position serial, primary key (tenant_id, id))`);
    expect(await protect({ schema: 'extra', table: 'numbered' })).toBeUndefined();
    const inserted = await gateway.as('acme', () =>
      gateway.query(
        `insert into extra.numbered (tenant_id, id, user_id, bucket) values ('acme', '${ID}', 'u', 1) returning position`,
      ),
    );
    expect(inserted).toEqual([{ position: 1 }]);
  });

  it('is not deletable where the plan says so', async () => {
    await expect(
      gateway.as('acme', () => gateway.query('delete from finance.transactions')),
    ).rejects.toMatchObject({ code: '42501' });
  });
});

describe('A table that tenants cannot share', () => {
  beforeEach(async () => {
    await admin.query('drop schema if exists extra cascade; create schema extra');
  });

  const KEY = `tenant_id text not null, id uuid not null, user_id text not null, bucket smallint not null`;
  const cases: [string, string, RegExp[]][] = [
    [
      'without a tenant',
      `create table extra.t (id uuid primary key, body text)`,
      [
        /extra\.t: column tenant_id is missing; add it: alter table "extra"\."t" add column "tenant_id" text not null;/,
        /extra\.t: column user_id is missing/,
        /extra\.t: column bucket is missing; add it: .* "bucket" smallint not null;/,
      ],
    ],
    [
      'with a tenant that may be null',
      `create table extra.t (tenant_id text, id uuid not null, user_id text not null,
      bucket smallint not null, unique (tenant_id, id))`,
      [
        /extra\.t: column tenant_id may be null; change it: alter table "extra"\."t" alter column "tenant_id" set not null;/,
      ],
    ],
    [
      'with a bucket of another type',
      `create table extra.t (tenant_id text not null, id uuid not null, user_id text not null,
      bucket integer not null, primary key (tenant_id, id))`,
      [/extra\.t: column bucket is integer; change it: .* type smallint/],
    ],
    [
      'with a key that leaves out the tenant',
      `create table extra.t (${KEY}, primary key (id))`,
      [/extra\.t: t_pkey makes \(id\) unique across tenants; replace it by .* \(tenant_id, id\)/],
    ],
    [
      'with an expression unique across tenants',
      `create table extra.t (${KEY}, mail text, primary key (tenant_id, id));
      create unique index by_mail on extra.t (lower(mail))`,
      [/extra\.t: by_mail makes \(<expression>\) unique across tenants/],
    ],
    [
      'with a foreign key that leaves out the tenant',
      `create table extra.parent (${KEY}, primary key (tenant_id, id), unique (bucket, id));
      create table extra.t (${KEY}, parent_id uuid, primary key (tenant_id, id),
        constraint to_parent foreign key (bucket, parent_id) references extra.parent (bucket, id))`,
      [/extra\.t: foreign key to_parent reaches extra\.parent of any tenant/],
    ],
    [
      'with a policy for everybody',
      `create table extra.t (${KEY}, primary key (tenant_id, id));
      create policy everybody on extra.t using (true)`,
      [/extra\.t: policy everybody lets the gateway's login past its tenant/],
    ],
    ['that is a view', `create view extra.t as select 1 as id`, [/extra\.t is not a table here/]],
  ];

  it.each(cases)('is refused: one %s', async (_, sql, messages) => {
    await admin.query(sql);
    const error = await protect({ schema: 'extra', table: 't' }, { schema: 'extra', table: 'parent' });
    expect(error?.code).toBe('configuration_invalid');
    for (const message of messages) expect(error?.message).toMatch(message);
  });
});

describe('The gateway’s login', () => {
  it('may have any name, and another one on each shard, without a difference between their schemas', async () => {
    const other = shards.targets[1]!;
    const odd = `o'dd "g\\w" ${randomUUID()}`;
    const asAdmin = await TestConnection.open(other.adminUrl);
    await asAdmin.query(`create role ${escapeIdentifier(odd)}`);
    const targets = [target, { ...other, gatewayRole: odd }];
    const plan = notesPlan(shards.installationId);
    try {
      const reports = await migrateShards(targets, plan);
      expect(reports.map(({ error }) => error)).toEqual([undefined, undefined]);
      const lines = new Map<string, readonly string[]>();
      for (const { shardId, adminUrl, gatewayRole } of targets) {
        const inspection = await inspectShard({ shardId, url: adminUrl, gatewayRole }, plan);
        expect(inspection.unprotected).toEqual([]);
        lines.set(shardId, inspection.lines);
      }
      expect(findDrift(lines)).toEqual([]);
    } finally {
      await asAdmin.query(`drop owned by ${escapeIdentifier(odd)}; drop role ${escapeIdentifier(odd)}`);
    }
  });

  it('must not be named like a tenant’s', async () => {
    await admin.query('create role shardgate_t_gateway');
    const [report] = await migrateShards(
      [{ ...target, gatewayRole: 'shardgate_t_gateway' }],
      notesPlan(shards.installationId),
    );
    await admin.query('drop role shardgate_t_gateway');
    expect(report?.error?.message).toMatch(/is named like a tenant's login; .* shardgate_t_/);
  });

  it('must exist', async () => {
    const [report] = await migrateShards(
      [{ ...target, gatewayRole: 'no_such_role' }],
      notesPlan(shards.installationId),
    );
    expect(report?.error?.message).toMatch(
      /The login no_such_role .* is missing on s0; create it: create role/,
    );
  });

  it('must not be the one that owns the schema', async () => {
    const owner = decodeURIComponent(new URL(target.adminUrl).username);
    const [report] = await migrateShards(
      [{ ...target, gatewayRole: owner }],
      notesPlan(shards.installationId),
    );
    expect(report?.error?.message).toMatch(/stands above row-level security on s0/);
  });
});
