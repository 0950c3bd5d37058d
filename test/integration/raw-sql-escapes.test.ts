import { afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { SqlRow } from '../../src/common/sql-executor.js';
import { callersSqlOn, type CallersSql } from '../support/callers-sql.js';
import { escapeAttempts } from '../support/escape-attempts.js';
import { eventually } from '../support/eventually.js';
import { LEFT_BEHIND_SQL, victimOf, type Victim } from '../support/raw-sql-victim.js';
import { tenantFixture, type TenantFixture } from '../support/tenant-fixture.js';

const ATTACKER = 'attacker';

let fixture: TenantFixture;
let victim: Victim;
/** One connection only, so that whatever a caller leaves behind meets the next one. */
let raw: CallersSql;
let untouched: SqlRow[];

beforeAll(async () => {
  fixture = await tenantFixture();
  victim = await victimOf(fixture, 'victim', ATTACKER);
  raw = callersSqlOn(fixture.connections({ max: 1, statementTimeoutMs: 5_000 }));
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

describe('A caller’s own SQL', () => {
  it.each(NAMES)('reaches nobody else, and leaves nothing: %s', async (_, place) => {
    const attempt = escapeAttempts(victim.targets)[place]!;
    const { rows, error } = await run(attempt.sql);
    victim.assertUnseen(rows, error);
    if (attempt.either !== true) {
      const code = error === undefined ? undefined : (error as { code?: string }).code;
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
    expect(await raw.query(ATTACKER, LEFT_BEHIND_SQL)).toEqual(untouched);
  });

  it.each([
    ['commit', ['commit']],
    ['rollback', ['rollback']],
    ['abort', ['abort']],
    ['ends it in a block', ['do $$ begin commit; end $$']],
    ['ends it and goes on by itself', ['commit', 'begin', 'create temp table t (a int)']],
  ])('cannot leave its transaction unnoticed: %s', async (_, statements) => {
    const { error } = await run(statements);
    expect(error).toBeInstanceOf(Error);
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
    const theirs = callersSqlOn(fixture.connections());
    await raw.query(ATTACKER, 'lock table notes.notes in access exclusive mode');
    expect(await theirs.query('victim', 'select count(*)::int as n from notes.notes')).toEqual([
      { n: victim.notes },
    ]);
  });

  it('cannot keep a lock that the gateway needs to make roles', async () => {
    const connections = fixture.connections();
    const held = await connections.acquire(ATTACKER);
    await held.query(`begin; select pg_advisory_xact_lock(n) from generate_series(1, 100) n`);
    await callersSqlOn(fixture.connections()).query(`late-${Date.now()}`, 'select 1');
    await held.query('rollback');
    connections.release(held, false);
    await eventually('it is wiped', () => connections.inUse === 0);
    expect(connections.use.waiting).toBe(0);
  });
});
