import { randomInt } from 'node:crypto';
import { beforeAll, describe, expect, it } from '@jest/globals';
import type { SqlRow } from '../../src/common/sql-executor.js';
import { callersSqlThrough, type CallersSql } from '../support/callers-sql.js';
import { gatewayFixture } from '../support/gateway-fixture.js';
import { LEFT_BEHIND_SQL, victimOf, type Victim } from '../support/raw-sql-victim.js';
import { SqlFuzz } from '../support/sql-fuzz.js';

const ATTACKER = 'attacker';
const STATEMENTS_MIN = 2_000;
const BATCH = 20;

/** Replay a run that failed with SHARDGATE_FUZZ_SEED=<seed>. */
const SEED = Number(process.env.SHARDGATE_FUZZ_SEED ?? randomInt(2 ** 31));

let victim: Victim;
let raw: CallersSql;
let untouched: SqlRow[];

beforeAll(async () => {
  const fixture = await gatewayFixture();
  victim = await victimOf(fixture, 'victim', ATTACKER);
  raw = callersSqlThrough(fixture);
  untouched = await raw.query(ATTACKER, LEFT_BEHIND_SQL);
}, 60_000);

/** Runs what comes in one transaction, each statement in a savepoint of its own, until it is enough or over. */
async function runBatch(fuzz: SqlFuzz, sent: { count: number; refused: number }): Promise<void> {
  try {
    await raw.transaction(ATTACKER, async (run) => {
      const end = sent.count + BATCH;
      while (sent.count < end) {
        for (const sql of fuzz.next()) {
          sent.count += 1;
          await run('savepoint fuzz');
          const [rows, error] = await run(sql).then(
            (found) => [found, undefined] as const,
            (refusal: unknown) => [[], refusal] as const,
          );
          victim.assertUnseen(rows, error);
          if (error === undefined) continue;
          sent.refused += 1;
          await run('rollback to savepoint fuzz');
          break;
        }
      }
    });
  } catch (error) {
    // A caller's statement may have ended the transaction; an expectation that failed must not be lost.
    if (error instanceof Error && 'matcherResult' in error) throw error;
  }
}

describe('A caller’s own SQL, composed at random', () => {
  it(`reads and writes nothing of another tenant, and leaves nothing to the next caller (seed ${SEED})`, async () => {
    const fuzz = new SqlFuzz(SEED, victim.targets);
    const sent = { count: 0, refused: 0 };
    while (sent.count < STATEMENTS_MIN) {
      await runBatch(fuzz, sent);
      const [left] = await Promise.all([raw.query(ATTACKER, LEFT_BEHIND_SQL), victim.assertUntouched()]);
      expect(left).toEqual(untouched);
    }
    // Most of it must be SQL that runs, or nothing was tried.
    expect(sent.refused).toBeLessThan(sent.count * 0.7);
    expect(await raw.query('victim', 'select count(*)::int as n from notes.notes')).toEqual([
      { n: victim.notes },
    ]);
  }, 120_000);
});
