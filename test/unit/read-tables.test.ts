import { describe, expect, it } from '@jest/globals';
import { readTables } from '../../src/persistence/statements/read-tables.js';

describe('readTables', () => {
  it.each([
    [
      'SELECT "a"."id" AS "a_id" FROM "billing"."invoices" "a" WHERE ("a"."x" = $1) LIMIT 1',
      ['billing.invoices'],
    ],
    [
      'SELECT COUNT(1) AS "cnt" FROM "billing"."invoices" "a" WHERE "a"."n" IN ($1, $2)',
      ['billing.invoices'],
    ],
    ['SELECT * FROM notes', ['public.notes']],
    [
      'SELECT "a"."id", "l"."id" FROM "b"."a" "a" LEFT JOIN "b"."l" "l" ON "l"."a_id"="a"."id" ORDER BY "a"."id" ASC',
      ['b.a', 'b.l'],
    ],
    [
      'SELECT 1 FROM "b"."a" "a", "b"."c" "c", ONLY b.d WHERE a.x = c.x GROUP BY a.x, a.y',
      ['b.a', 'b.c', 'b.d'],
    ],
    [
      'SELECT DISTINCT "d"."id" FROM (SELECT "a"."id" FROM "b"."a" "a" WHERE EXISTS (SELECT 1 FROM "b"."e")) "d", b.f',
      ['b.a', 'b.e', 'b.f'],
    ],
    ['SELECT 1 FROM b.a WHERE x IS DISTINCT FROM y AND EXTRACT(year FROM z) = 1', ['b.a']],
    ['/* why */ SELECT 1 FROM b.a UNION ALL SELECT 2 FROM b.c', ['b.a', 'b.c']],
    ['SELECT 1', []],
  ])('%s', (sql, tables) => {
    expect(readTables(sql)).toEqual(tables);
  });

  it.each([
    'SELECT 1 FROM b.a FOR UPDATE',
    'SELECT 1 FROM b.a WHERE at > now()',
    'SELECT CURRENT_DATE FROM b.a',
    'SELECT my_function(x) FROM b.a',
    'SELECT 1 FROM generate_series(1, 2) AS n',
    'SELECT 1 FROM b.a JOIN LATERAL my_function(a.x) ON true',
    'WITH x AS (SELECT 1) SELECT * FROM x',
    'SELECT 1 INTO b.c FROM b.a',
    'SELECT 1 FROM b.a; SELECT 2',
    'SELECT gen_random_uuid() FROM b.a',
    'SELECT session_user FROM b.a',
    'SELECT 1 FROM (VALUES (1)) v, b.a TABLESAMPLE system (1)',
    'SELECT $$x$$ FROM b.a',
    'UPDATE b.a SET x = 1',
    'INSERT INTO b.a VALUES (1)',
    'SHOW all',
    '',
  ])('cannot tell of %s', (sql) => {
    expect(readTables(sql)).toBeUndefined();
  });
});
