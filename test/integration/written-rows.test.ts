import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import pg from 'pg';
import { writtenRows } from '../../src/persistence/statements/written-rows.js';
import { ownDatabases } from '../support/own-databases.js';
import { fill, OPERATIONS, type Picks } from './written-rows-operations.js';
import { WatchedDataSource, type Watched } from './written-rows-watch.js';

const RUNS = 30;
const OPERATIONS_PER_RUN = 12;
const CONDITIONS = 1_200;

let url: string;

beforeAll(async () => {
  const { shards } = await ownDatabases();
  url = shards[0]!.primary.adminUrl;
});

describe('the rows that TypeORM changes', () => {
  let library: WatchedDataSource;
  const all: Watched[] = [];
  const succeeded = new Set<string>();

  beforeAll(async () => {
    library = await WatchedDataSource.open(url);
  });

  afterAll(() => library.dataSource.destroy());

  async function run(kind: string, picks: Picks): Promise<void> {
    const operation = OPERATIONS[kind]!;
    // It may fail, by a key that is taken say; what was written before counts all the same.
    const { statements, hasFailed } = await library.statementsOf(() =>
      operation(library.dataSource.manager, picks),
    );
    if (!hasFailed) succeeded.add(kind);
    all.push(...statements);
    expect(statements.filter(({ missed }) => missed.length > 0)).toEqual([]);
    // Nothing that TypeORM makes is beyond reading.
    expect(statements.filter(({ written }) => written === 'anything')).toEqual([]);
  }

  const pick = fc.nat({ max: 11 });
  const operations = fc.array(
    fc.tuple(fc.constantFrom(...Object.keys(OPERATIONS)), fc.tuple(pick, pick, pick, pick)),
    { minLength: 3, maxLength: OPERATIONS_PER_RUN, size: 'max' },
  );

  it.each(Object.keys(OPERATIONS))('are named for each statement: %s', async (kind) => {
    for (let at = 0; at < 3; at++) {
      await fill(library.dataSource.manager);
      await run(kind, [at, at, at, at]);
      await run(kind, [0, at, at + 1, at + 2]);
    }
    expect(succeeded).toContain(kind);
  });

  it('are named for each statement of random operations one after the other', async () => {
    await fc.assert(
      fc.asyncProperty(operations, async (steps) => {
        await fill(library.dataSource.manager);
        for (const [kind, picks] of steps) await run(kind, picks);
      }),
      { numRuns: RUNS },
    );
  }, 120_000);

  it('are often named one by one, and are sometimes those of other tables', () => {
    const counts = { changing: 0, byIds: 0, elsewhere: 0 };
    for (const { written, changed } of all) {
      if (written === undefined || written === 'anything' || changed.length === 0) continue;
      counts.changing++;
      if (written[0]?.ids !== undefined) counts.byIds++;
      if (changed.some((row) => !row.startsWith(`${written[0]?.table} `))) counts.elsewhere++;
    }
    expect(counts.byIds).toBeGreaterThan(counts.changing / 3);
    expect(counts.elsewhere).toBeGreaterThan(20);
  });
});

describe('the rows that a condition holds for', () => {
  const rows = Array.from({ length: 8 }, (_, at) => `${at}aaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeee${at}`);
  const params = [rows[0], rows[1], [rows[2], rows[3]]];
  /** The server has to learn the types of the parameters that a condition leaves out. */
  const statements = (condition: string): string[] => [
    `UPDATE marks SET n = n + cardinality(ARRAY[$1::uuid]) WHERE ${condition} RETURNING $2::uuid, $3::uuid[]`,
    `DELETE FROM "marks" WHERE ${condition} RETURNING $1::uuid, $2::uuid, $3::uuid[]`,
  ];
  let client: pg.Client;

  beforeAll(async () => {
    client = new pg.Client({ connectionString: url });
    await client.connect();
    await client.query('CREATE TABLE marks (id uuid PRIMARY KEY, flag boolean, n int)');
    for (const [at, id] of rows.entries()) {
      await client.query('INSERT INTO marks VALUES ($1, $2, $3)', [id, [true, false, null][at % 3], at % 4]);
    }
  });

  afterAll(() => client.end());

  const { condition } = fc.letrec<{ condition: string; atom: string; built: string }>((tie) => ({
    atom: fc.constantFrom(
      ...['id = $1', '"id" = $2', 'marks.id = $1', 'public.marks.id = $2', '"id" IN ($1, $2)'],
      ...['id = ANY($3)', '(id = $1)', '"id"=ANY(ARRAY[$1, $2])', 'id = $1::uuid', 'id = any($3::uuid[])'],
      ...['flag', 'true', 'n = 1', 'n BETWEEN 1 AND 2', 'id <> $1', 'id NOT IN ($1)', '$2 = id', 'id > $1'],
    ),
    built: fc.oneof(
      ...(
        [
          ['', ' AND ', ''],
          ['', ' OR ', ''],
          ['', ' and ', ''],
          ['', ' /* OR */ AND -- OR\n', ''],
          ['(', ' AND ', ')'],
          ['(', ' OR ', ')'],
          ['((', ') OR (', '))'],
          ['flag BETWEEN ', ' AND ', ''],
          ['flag NOT BETWEEN (', ') AND ', ''],
          ['flag IN (', ', ', ')'],
          ['(', ') IN (', ')'],
          ['(', ') = ', ''],
          ['', ' = (', ')'],
          ['(', ', ', ') = (true, false)'],
          ['CASE WHEN ', ' THEN ', ' END'],
          ['CASE WHEN ', ' THEN false ELSE ', ' END'],
          ['CASE ', ' WHEN true THEN flag ELSE true END AND ', ''],
          ['EXISTS (SELECT 1 FROM marks o WHERE ', ' AND ', ')'],
          ['(SELECT ', ' AND ', ')'],
          ['((SELECT flag LIMIT 1) UNION SELECT ', ' OR ', ' LIMIT 1)'],
          ['(SELECT bool_or(', ') AND ', ' FROM marks o)'],
          ['coalesce(', ', ', ')'],
          ['(', ') IS DISTINCT FROM ', ''],
        ] as const
      ).map(([before, between, after]) =>
        fc
          .tuple(tie('condition'), tie('condition'))
          .map(([one, other]) => `${before}${one}${between}${other}${after}`),
      ),
      ...(
        [
          ['NOT ', ''],
          ['NOT (', ')'],
          ['(', ')'],
          ['', ' IS NOT TRUE'],
          ['(', ') IS FALSE'],
          ['', ' IS NULL'],
          ['(', ")::text = 'true'"],
          ["'AND id = $1' <> '' OR ", ''],
          ['"flag" AND ', ''],
        ] as const
      ).map(([before, after]) => tie('condition').map((one) => `${before}${one}${after}`)),
    ),
    condition: fc.oneof({ maxDepth: 4, withCrossShrink: true }, tie('atom'), tie('built')),
  }));

  it('are among those that it names', async () => {
    const counts = { ran: 0, named: 0, changed: 0, precise: 0 };
    await fc.assert(
      fc.asyncProperty(condition, async (text) => {
        for (const sql of statements(text)) {
          const written = writtenRows(sql, params);
          if (written === undefined || written === 'anything') throw new Error(`${String(written)}: ${sql}`);
          expect(written.map(({ table }) => table)).toEqual(['public.marks']);
          const changed = await changedBy(sql);
          // Not every text that can be made up is a condition.
          if (changed === undefined) continue;
          const ids = written[0]?.ids;
          counts.ran++;
          counts.changed += changed.length;
          if (ids === undefined) continue;
          counts.named++;
          if (changed.length === ids.length) counts.precise++;
          expect(ids).toEqual(expect.arrayContaining(changed));
        }
      }),
      { numRuns: CONDITIONS },
    );
    expect(counts.ran).toBeGreaterThan(CONDITIONS / 2);
    expect(counts.named).toBeGreaterThan(CONDITIONS / 5);
    expect(counts.precise).toBeGreaterThan(CONDITIONS / 20);
    expect(counts.changed).toBeGreaterThan(CONDITIONS);
  }, 120_000);

  async function changedBy(sql: string): Promise<string[] | undefined> {
    const contents = async (): Promise<Map<string, number>> => {
      const { rows: found } = await client.query<{ id: string; n: number }>('SELECT id, n FROM marks');
      return new Map(found.map(({ id, n }) => [id, n]));
    };
    await client.query('BEGIN');
    try {
      await client.query(sql, params);
      const after = await contents();
      await client.query('ROLLBACK');
      const before = await contents();
      return rows.filter((id) => before.get(id) !== after.get(id));
    } catch {
      await client.query('ROLLBACK');
      return undefined;
    }
  }
});
