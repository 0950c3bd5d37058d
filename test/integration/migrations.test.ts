import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { MigrationInterface, QueryRunner } from 'typeorm';
import type { MigrationEvent } from '../../src/sharding/migrations/migration-plan.js';
import { migrateCatalog } from '../../src/sharding/migrations/catalog/migrate-catalog.js';
import { findDrift, type ShardDrift } from '../../src/sharding/migrations/drift.js';
import { inspectShard, type ShardInspection } from '../../src/sharding/migrations/inspect-shard.js';
import { migrateShards } from '../../src/sharding/migrations/migrator.js';
import { eventually } from '../support/eventually.js';
import { notesPlan, PAUSE_LOCK } from '../support/notes-migrations.js';
import { scratchShards, TestConnection, type ScratchShards } from '../support/scratch-shards.js';

const ALL = notesPlan('').migrations.map(({ name }) => name);
const [SYSTEM, RECORDS, FINANCE, NOTES, INDEX] = ALL;

let shards: ScratchShards;
let admins: Map<string, TestConnection>;
const children: ChildProcess[] = [];

/** A process of its own that migrates every shard; its events as they come. */
class MigratingProcess {
  readonly events: MigrationEvent[] = [];
  readonly #child: ChildProcess;
  readonly #ended: Promise<unknown>;

  constructor() {
    const { targets, installationId } = shards;
    const script = new URL('../support/migrate-process.ts', import.meta.url).pathname;
    const loader = new URL('../support/register-typescript.js', import.meta.url).href;
    this.#child = spawn(
      process.execPath,
      ['--no-warnings', '--import', loader, script, JSON.stringify({ targets, installationId })],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    children.push(this.#child);
    this.#ended = once(this.#child, 'close');
    createInterface({ input: this.#child.stdout! }).on('line', (line) => {
      this.events.push(JSON.parse(line) as MigrationEvent);
    });
  }

  applied(shardId: string): string[] {
    return this.events.flatMap((event) =>
      event.type === 'applied' && event.shardId === shardId ? [event.name] : [],
    );
  }

  async ended(): Promise<number | null> {
    await this.#ended;
    return this.#child.exitCode;
  }

  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#ended;
  }
}

function admin(shardId: string): TestConnection {
  return admins.get(shardId)!;
}

async function onEveryShard(sql: string): Promise<void> {
  for (const connection of admins.values()) await connection.query(sql);
}

/** Until the migration of every named shard stands in its middle; gives the servers' process ids. */
function paused(...shardIds: string[]): Promise<number[]> {
  return eventually('the migrations stand in their middle', async () => {
    const waiting: number[] = [];
    for (const shardId of shardIds) {
      const rows = await admin(shardId).query<{ pid: number }>(
        `select l.pid from pg_locks l join pg_database d on d.oid = l.database
         where d.datname = current_database() and l.locktype = 'advisory' and l.objid = $1 and not l.granted`,
        [PAUSE_LOCK],
      );
      waiting.push(...rows.map(({ pid }) => pid));
    }
    return waiting.length === shardIds.length && waiting;
  });
}

async function inspections(): Promise<Map<string, ShardInspection>> {
  const plan = notesPlan(shards.installationId);
  const found = new Map<string, ShardInspection>();
  for (const { shardId, gatewayRole } of shards.targets) {
    const url = shards.urls.get(shardId)!;
    found.set(shardId, await inspectShard({ shardId, url, gatewayRole }, plan));
  }
  return found;
}

async function drift(): Promise<ShardDrift[]> {
  const found = await inspections();
  return findDrift(new Map([...found].map(([shardId, { lines }]) => [shardId, lines])));
}

async function expectWholeEverywhere(): Promise<void> {
  for (const inspection of (await inspections()).values()) {
    expect(inspection).toMatchObject({ applied: ALL, pending: [], unknown: [], unprotected: [] });
    expect(inspection.lines).toContain('notes.notes column title text');
    expect(inspection.installation?.installationId).toBe(shards.installationId);
  }
  expect(await drift()).toEqual([]);
}

function migrate(options: Parameters<typeof migrateShards>[2] = {}) {
  return migrateShards(shards.targets, notesPlan(shards.installationId), options);
}

beforeAll(async () => {
  shards = await scratchShards();
  admins = new Map();
  for (const { shardId, adminUrl } of shards.targets) {
    admins.set(shardId, await TestConnection.open(adminUrl));
  }
}, 60_000);

beforeEach(async () => {
  await onEveryShard('drop schema if exists shardgate, finance, notes cascade');
});

afterEach(async () => {
  for (const child of children.splice(0)) if (child.exitCode === null) child.kill('SIGKILL');
  await onEveryShard('select pg_advisory_unlock_all()');
});

describe('Migrating shards', () => {
  it('brings every shard to the same schema, which the gateway itself can inspect', async () => {
    const events: MigrationEvent[] = [];
    const reports = await migrate({ onEvent: (event) => events.push(event) });
    expect(reports).toEqual([
      { shardId: 's0', applied: ALL },
      { shardId: 's1', applied: ALL },
    ]);
    expect(events.filter(({ shardId }) => shardId === 's1').map(({ type }) => type)).toEqual(
      ALL.flatMap(() => ['applying', 'applied']),
    );
    expect(events).toContainEqual({ type: 'applied', shardId: 's0', name: NOTES, index: 4, total: 5 });
    await expectWholeEverywhere();
  });

  it('finds nothing to do the second time, and asks for no lock that a reader would hold up', async () => {
    await migrate();
    await onEveryShard('begin; select 1 from notes.notes, finance.accounts, shardgate.lookup_entries');
    const events: MigrationEvent[] = [];
    const reports = await migrate({ onEvent: (event) => events.push(event) });
    await onEveryShard('commit');
    expect(reports.map(({ applied }) => applied)).toEqual([[], []]);
    expect(events.map(({ type }) => type)).toEqual(['up-to-date', 'up-to-date']);
  });

  it('applies each migration once when two processes migrate at once: the second waits', async () => {
    await onEveryShard(`select pg_advisory_lock(${PAUSE_LOCK})`);
    const first = new MigratingProcess();
    await paused('s0', 's1');
    const second = new MigratingProcess();
    await eventually('the second waits', () => second.events.length === 2);
    expect(second.events.map(({ type }) => type)).toEqual(['waiting-for-lock', 'waiting-for-lock']);
    await onEveryShard(`select pg_advisory_unlock(${PAUSE_LOCK})`);
    expect(await Promise.all([first.ended(), second.ended()])).toEqual([0, 0]);
    for (const shardId of ['s0', 's1']) {
      expect(first.applied(shardId)).toEqual(ALL);
      expect(second.applied(shardId)).toEqual([]);
    }
    await expectWholeEverywhere();
  });

  it('goes on where a killed process stopped, without half a migration', async () => {
    await onEveryShard(`select pg_advisory_lock(${PAUSE_LOCK})`);
    const killed = new MigratingProcess();
    await paused('s0', 's1');
    await killed.kill();
    const next = new MigratingProcess();
    await eventually('the next one waits for the dead one’s servers', () => next.events.length === 2);
    await onEveryShard(`select pg_advisory_unlock(${PAUSE_LOCK})`);
    expect(await next.ended()).toBe(0);
    for (const shardId of ['s0', 's1']) {
      expect(killed.applied(shardId)).toEqual([SYSTEM, RECORDS, FINANCE]);
      expect(next.applied(shardId)).toEqual([NOTES, INDEX]);
    }
    await expectWholeEverywhere();
  });

  it('lets the other shards finish when one loses its connection, and mends it by the next run', async () => {
    await admin('s0').query(`select pg_advisory_lock(${PAUSE_LOCK})`);
    const running = migrate();
    const [pid] = await paused('s0');
    await admin('s0').query('select pg_terminate_backend($1)', [pid]);
    const [s0, s1] = await running;
    expect(s0).toMatchObject({ applied: [SYSTEM, RECORDS, FINANCE], error: { code: 'shard_unavailable' } });
    expect(s1).toEqual({ shardId: 's1', applied: ALL });
    expect((await inspections()).get('s0')).toMatchObject({ pending: [NOTES, INDEX] });
    expect((await drift()).flatMap(({ shardId }) => shardId)).toEqual(['s0', 's1']);

    await admin('s0').query(`select pg_advisory_unlock(${PAUSE_LOCK})`);
    const again = await migrate();
    expect(again.map(({ applied }) => applied)).toEqual([[NOTES, INDEX], []]);
    await expectWholeEverywhere();
  });

  it('reports a shard that cannot be reached, and migrates the rest', async () => {
    const away = { shardId: 's9', adminUrl: 'postgresql://nobody@127.0.0.1:9/none', gatewayRole: 'nobody' };
    const [first, s0] = await migrateShards([away, shards.targets[0]!], notesPlan(shards.installationId), {});
    expect(first).toMatchObject({ applied: [], error: { code: 'shard_unavailable', shardId: 's9' } });
    expect(s0).toEqual({ shardId: 's0', applied: ALL });
  });

  it('names the migration that failed, keeps those before it, and shows no SQL', async () => {
    class Broken1763800000900 implements MigrationInterface {
      async up(queryRunner: QueryRunner): Promise<void> {
        await queryRunner.query(
          `insert into shardgate.migrations (timestamp, name) values (1, 'left behind')`,
        );
        await queryRunner.query(`select $1 || secret_word from nowhere`, ['secret parameter']);
      }
      async down(): Promise<void> {
        // Never applied.
      }
    }
    const plan = notesPlan(shards.installationId);
    const [report] = await migrateShards(shards.targets, {
      ...plan,
      migrations: [plan.migrations[0]!, Broken1763800000900, ...plan.migrations.slice(1)],
    });
    expect(report?.applied).toEqual([SYSTEM]);
    expect(report?.error?.message).toMatch(/^The migration Broken1763800000900 failed on s0: .*42P01/);
    expect(JSON.stringify([report?.error, report?.error?.cause])).not.toMatch(/secret/);
    const rows = await admin('s0').query<{ name: string }>('select name from shardgate.migrations');
    expect(rows).toEqual([{ name: SYSTEM }]);
  });

  it('lets no migration decide where the next one works', async () => {
    class Wanders1763800000800 implements MigrationInterface {
      async up(queryRunner: QueryRunner): Promise<void> {
        await queryRunner.query(`create schema extra; set search_path = extra; set role pg_monitor`);
      }
      async down(): Promise<void> {
        // Never reverted.
      }
    }
    class Follows1763800000801 implements MigrationInterface {
      async up(queryRunner: QueryRunner): Promise<void> {
        await queryRunner.query('create table where_am_i (id integer)');
      }
      async down(): Promise<void> {
        // Never reverted.
      }
    }
    const plan = notesPlan(shards.installationId);
    const migrations = [...plan.migrations, Wanders1763800000800, Follows1763800000801];
    const [report] = await migrateShards([shards.targets[0]!], { ...plan, migrations });
    expect(report?.error).toBeUndefined();
    const [found] = await admin('s0').query(`select to_regclass('public.where_am_i') is not null as there`);
    expect(found).toEqual({ there: true });
    await admin('s0').query('drop table where_am_i; drop schema extra');
  });

  it('gives up waiting for the lock after its time, or when it is told to stop', async () => {
    await onEveryShard(`select pg_advisory_lock(${PAUSE_LOCK})`);
    const holder = migrate();
    await paused('s0', 's1');
    const [late] = await migrate({ lockTimeoutMs: 0 });
    expect(late?.error).toMatchObject({ code: 'shard_unavailable' });
    expect(late?.error?.message).toMatch(/another process has been migrating it/);

    const stop = new AbortController();
    const onEvent = ({ type }: MigrationEvent) => {
      if (type === 'waiting-for-lock') stop.abort();
    };
    const [stopped] = await migrate({ signal: stop.signal, onEvent });
    expect(stopped?.error?.message).toMatch(/was stopped; run migrate again/);
    await onEveryShard(`select pg_advisory_unlock(${PAUSE_LOCK})`);
    expect((await holder).map(({ applied }) => applied)).toEqual([ALL, ALL]);
  });

  it('refuses a plan with a migration listed twice, before it touches any shard', async () => {
    const plan = notesPlan(shards.installationId);
    const twice = { ...plan, migrations: [...plan.migrations, plan.migrations[0]!] };
    await expect(migrateShards(shards.targets, twice)).rejects.toThrow(/is listed twice/);
    expect((await inspections()).get('s0')?.installation).toBeUndefined();
  });
});

describe('The identity of a database', () => {
  it('is its shard’s: configured under another name, it is refused', async () => {
    await migrate();
    const [s0, s1] = shards.targets;
    const swapped = [
      { ...s0!, adminUrl: s1!.adminUrl },
      { ...s1!, adminUrl: s0!.adminUrl },
    ];
    const reports = await migrateShards(swapped, notesPlan(shards.installationId));
    expect(reports.map(({ error }) => error?.code)).toEqual([
      'configuration_invalid',
      'configuration_invalid',
    ]);
    expect(reports[0]?.error?.message).toMatch(/configured as s0 is s1 of installation/);
  });

  it('is its installation’s: another gateway’s shard is refused', async () => {
    await migrate();
    const foreign = notesPlan('00000000-0000-4000-8000-000000000000');
    const [report] = await migrateShards(shards.targets, foreign);
    expect(report?.error?.message).toMatch(/belongs to installation .* use an empty database/);
  });

  it('tells the catalog from a shard', async () => {
    const { catalog, targets } = shards;
    const [first, second] = [await migrateCatalog(catalog), await migrateCatalog(catalog)];
    expect(first.applied).toHaveLength(1);
    expect(second).toEqual({ installationId: first.installationId, applied: [] });
    const asShard = [{ ...targets[0]!, adminUrl: catalog.adminUrl }];
    const [report] = await migrateShards(asShard, notesPlan(first.installationId));
    expect(report?.error?.message).toMatch(/configured as s0 is catalog/);
  });
});

describe('Drift', () => {
  const changes = [
    ['an index that is gone', 'drop index finance.accounts_of_user', /accounts index .*accounts_of_user/],
    [
      'a column of another type',
      'alter table notes.notes alter body type varchar',
      /notes\.notes column body/,
    ],
    [
      'a constraint that is gone',
      'alter table finance.accounts drop constraint accounts_funds',
      /accounts_funds/,
    ],
    [
      'a policy that was opened',
      `create policy open on notes.notes for select to public using (true)`,
      /policy open/,
    ],
    [
      'row security switched off',
      'alter table notes.notes disable row level security',
      /notes\.notes row security off/,
    ],
    [
      'a trigger',
      `create function notes.f() returns trigger language plpgsql as 'begin return new; end';
      create trigger t before insert on notes.notes for each row execute function notes.f()`,
      /trigger CREATE TRIGGER t/,
    ],
    ['a right that was given', 'grant truncate on notes.notes to public', /grants <gateway> .*TRUNCATE/],
  ] as const;

  it.each(changes)('names %s', async (_, sql, name) => {
    await migrate();
    await admin('s1').query(sql);
    const found = await drift();
    const named = found.flatMap(({ missing, unexpected }) => [...missing, ...unexpected]);
    expect(found.map(({ shardId }) => shardId)).toEqual(['s0', 's1']);
    expect(named.some((line) => name.test(line))).toBe(true);
  });
});
