import { AsyncResource } from 'node:async_hooks';
import { afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { SqlRow } from '../../src/common/sql-executor.js';
import { callersSqlThrough, type CallersSql } from '../support/callers-sql.js';
import { escapeAttempts } from '../support/escape-attempts.js';
import { gatewayFixture, type GatewayFixture } from '../support/gateway-fixture.js';
import { LEFT_BEHIND_SQL, victimOf, type Victim } from '../support/raw-sql-victim.js';
import { repositoryEscapes } from '../support/repository-escapes.js';
import { TRANSACTION_ESCAPES } from '../support/transaction-escapes.js';
import { sqlStateOf } from '../../src/sharding/connections/failure.js';

const ATTACKER = 'attacker';

let fixture: GatewayFixture;
let victim: Victim;
/** One connection only to each node, so that whatever a caller leaves behind meets the next one. */
let raw: CallersSql;
/** The same, but statements alone that may only read go to a replica. */
let onReplica: CallersSql;
let untouched: SqlRow[];

beforeAll(async () => {
  fixture = await gatewayFixture();
  victim = await victimOf(fixture, 'victim', ATTACKER);
  raw = callersSqlThrough(fixture);
  onReplica = callersSqlThrough(fixture, { from: 'replica' });
  untouched = await raw.query(ATTACKER, LEFT_BEHIND_SQL);
}, 60_000);

afterEach(async () => {
  await victim.assertUntouched();
});

/** Runs statements in one transaction until one is refused; everything that came back, and the refusal. */
async function run(statements: readonly string[]): Promise<{ rows: SqlRow[]; error: unknown }> {
  const rows: SqlRow[] = [];
  try {
    await raw.transaction(ATTACKER, async (statement) => {
      for (const sql of statements) rows.push(...(await statement(sql)));
    });
    return { rows, error: undefined };
  } catch (error) {
    return { rows, error };
  }
}

/** As names are not known before the fixture is there, the attempts are listed with made-up ones. */
const NAMES = escapeAttempts({
  own: '<own>',
  victim: '<victim>',
  gateway: '<gateway>',
  admin: '<admin>',
  victimTenant: '<tenant>',
  victimNoteId: '<note>',
  victimAccountId: '<account>',
}).map(({ what }, place): [string, number] => [what, place]);

const ESCAPES = repositoryEscapes('victim').map(({ what }, place): [string, number] => [what, place]);

const PREPARED_SQL = `select gid from pg_prepared_xacts where database = current_database()`;

const ALL_IN_USE = { s0: undefined, 's0.r1': undefined };

/** Why a node of the shard is not in use, of each. */
function stateOfNodes(): Record<string, string | undefined> {
  const nodes = fixture.runtime.nodes.all().filter(({ shardId }) => shardId === fixture.shardId);
  return Object.fromEntries(nodes.map(({ id }) => [id, fixture.runtime.monitor.status(id).reason]));
}

describe('A caller’s own SQL', () => {
  it.each(NAMES)('reaches nobody else, and leaves nothing: %s', async (_, place) => {
    const attempt = escapeAttempts(victim.targets)[place]!;
    const { rows, error } = await run(attempt.sql);
    victim.assertUnseen(rows, error);
    if (attempt.either !== true) {
      const code = error === undefined ? undefined : sqlStateOf(error);
      if (attempt.refused === undefined) expect({ error }).toEqual({ error: undefined });
      else expect(code).toMatch(attempt.refused);
    }
    expect(await raw.query(ATTACKER, LEFT_BEHIND_SQL)).toEqual(untouched);
    // Each statement by itself too, as the caller's only one.
    for (const sql of attempt.sql) {
      const alone = await raw.query(ATTACKER, sql).then(
        (found) => ({ found, refusal: undefined }),
        (refusal: unknown) => ({ found: [], refusal }),
      );
      victim.assertUnseen(alone.found, alone.refusal);
    }
    for (const sql of attempt.sql.filter((statement) => /^(select|with|explain)/.test(statement))) {
      const alone = await onReplica.query(ATTACKER, sql).then(
        (found) => ({ found, refusal: undefined }),
        (refusal: unknown) => ({ found: [], refusal }),
      );
      victim.assertUnseen(alone.found, alone.refusal);
    }
    expect(await raw.query(ATTACKER, LEFT_BEHIND_SQL)).toEqual(untouched);
  });

  it.each(TRANSACTION_ESCAPES)('gets out of its transaction nowhere: $what', async ({ sql, atOnce }) => {
    const refusals: unknown[] = [];
    const noteRefusal = (error: unknown) => refusals.push(error);
    const own = 'select body, title from notes.notes order by id';
    const before = await raw.query(ATTACKER, own);
    await raw
      .transaction(ATTACKER, async (run) => {
        if (atOnce) await Promise.all(sql.map((statement) => run(statement).catch(noteRefusal)));
        else for (const statement of sql) await run(statement).catch(noteRefusal);
      })
      .catch(noteRefusal);
    expect(refusals.length).toBeGreaterThan(0);
    const prepared = await fixture.admin.query<{ gid: string }>(PREPARED_SQL);
    for (const { gid } of prepared) await fixture.admin.query(`rollback prepared '${gid}'`);
    expect(prepared).toEqual([]);
    expect(await raw.query(ATTACKER, own)).toEqual(before);
    expect(await raw.query(ATTACKER, LEFT_BEHIND_SQL)).toEqual(untouched);
  });

  it.each(['commit', 'rollback', 'commit and chain', 'rollback and chain'])(
    'learns that %s has ended its transaction, and that nothing more runs in it',
    async (end) => {
      const codes: unknown[] = [];
      const noteCode = (error: unknown) => codes.push((error as { code?: string }).code);
      await raw
        .transaction(ATTACKER, async (run) => {
          for (const sql of [end, 'select 1', 'savepoint a']) await run(sql).catch(noteCode);
        })
        .catch(noteCode);
      expect(codes).toEqual(Array(4).fill('scope_conflict'));
    },
  );

  it.each([{ zone: `set local timezone = 'Asia/Tokyo'` }, { zone: `set local datestyle = 'German'` }])(
    'may go back to a savepoint after $zone',
    async ({ zone }) => {
      const sql = ['begin', zone, 'savepoint a', 'select 1/0'];
      const rows = await raw.transaction(ATTACKER, async (statement) => {
        for (const each of sql) await statement(each).catch(() => undefined);
        await statement('rollback to savepoint a');
        return statement('select 1 as still_here');
      });
      expect(rows).toEqual([{ still_here: 1 }]);
    },
  );

  it.each([
    'select pg_terminate_backend(pg_backend_pid())',
    ...['57P01', '57P02', '57P03', '53300', '08006'].map(
      (code) => `do $$ begin raise exception 'Connection terminated' using errcode = '${code}'; end $$`,
    ),
    'select $1::text',
    'select 1 where $1 = $2 and $3',
  ])('takes no node away from others by ending its session, or saying so: %s', async (sql) => {
    for (const callers of [raw, onReplica]) {
      for (let time = 0; time < 5; time += 1) {
        await expect(callers.query(ATTACKER, sql)).rejects.toThrow();
        await expect(callers.transaction(ATTACKER, (run) => run(sql))).rejects.toThrow();
        expect(stateOfNodes()).toEqual(ALL_IN_USE);
      }
    }
    expect(await raw.query('victim', 'select count(*)::int as n from notes.notes')).toEqual([
      { n: victim.notes },
    ]);
    expect(await raw.query(ATTACKER, LEFT_BEHIND_SQL)).toEqual(untouched);
  });

  it('does not hang where it is asked for data that it does not send', async () => {
    const { error } = await run(['create temp table t (a text)', 'copy pg_temp.t from stdin']);
    expect(error).toBeInstanceOf(Error);
    expect(await raw.query(ATTACKER, LEFT_BEHIND_SQL)).toEqual(untouched);
  });

  it('does not decide about the next caller’s random numbers', async () => {
    const next = async () => {
      await raw.query(ATTACKER, 'select setseed(0.5)');
      return (await raw.query(ATTACKER, 'select random() as r'))[0]?.r;
    };
    expect(await next()).not.toBe(await next());
  });

  it('hears what it subscribed to no longer when somebody else has the connection', async () => {
    await raw.query(ATTACKER, 'listen everything');
    const channels = await raw.query(ATTACKER, 'select * from pg_listening_channels()');
    expect(channels).toEqual([]);
  });

  it('holds up no other tenant for longer than its transaction', async () => {
    await raw.query(ATTACKER, 'lock table notes.notes in access exclusive mode');
    expect(await raw.query('victim', 'select count(*)::int as n from notes.notes')).toEqual([
      { n: victim.notes },
    ]);
  });

  it('cannot keep a lock that the gateway needs to make roles', async () => {
    // Outside of the attacker's scope, where another tenant may be named.
    const late = AsyncResource.bind(() => raw.query(`late-${Date.now()}`, 'select 1 as made'));
    await raw.transaction(ATTACKER, async (run) => {
      await run('select pg_advisory_xact_lock(n) from generate_series(1, 100) n');
      expect(await late()).toEqual([{ made: 1 }]);
    });
  });
});

describe('Text that a caller gives to TypeORM’s interface', () => {
  it.each(ESCAPES)('reaches nobody else, and leaves nothing: %s', async (_, place) => {
    const { run: attempt } = repositoryEscapes('victim')[place]!;
    const [found, refusal] = await fixture
      .as(ATTACKER, () => attempt(fixture))
      .then(
        (rows) => [rows, undefined],
        (error: unknown) => [[], error],
      );
    victim.assertUnseen(found ?? [], refusal);
    // What it wrote must hold nothing of others either.
    victim.assertUnseen(await raw.query(ATTACKER, 'select * from notes.notes'), undefined);
    expect(await raw.query(ATTACKER, LEFT_BEHIND_SQL)).toEqual(untouched);
  });
});
