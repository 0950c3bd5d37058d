import { beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { Column, DataSource, Entity, JoinColumn, JoinTable, ManyToMany, ManyToOne } from 'typeorm';
import {
  referencingTables,
  writtenRows,
  type WrittenTable,
} from '../../src/persistence/statements/written-rows.js';
import { ShardedEntity } from '../../src/persistence/sharded-entity.js';

const A = '0aaaaaaa-0000-4000-8000-00000000000a';
const B = '0bbbbbbb-0000-4000-8000-00000000000b';
const C = '0ccccccc-0000-4000-8000-00000000000c';

/** What a statement on `billing.invoices` writes there: ids, or undefined for any row. */
function idsOf(sql: string, params: readonly unknown[] = [A, B, C]): readonly string[] | undefined {
  const written = writtenRows(sql, params);
  if (written === undefined || written === 'anything') throw new Error(`${String(written)}: ${sql}`);
  expect(written).toEqual([{ table: 'billing.invoices', ids: written[0]?.ids }]);
  return written[0]?.ids;
}

function idsWhere(condition: string, params: readonly unknown[] = [A, B, C]): readonly string[] | undefined {
  const ids = idsOf(`UPDATE "billing"."invoices" SET "x" = $9 WHERE ${condition}`, params);
  expect(idsOf(`DELETE FROM "billing"."invoices" WHERE ${condition} RETURNING "x"`, params)).toEqual(ids);
  return ids;
}

describe('INSERT', () => {
  it.each([
    ['INSERT INTO "billing"."invoices"("tenant_id", "id") VALUES ($2, $1)', [A]],
    ['INSERT INTO "billing"."invoices"("id", "x") VALUES ($1, DEFAULT), ($2, now()) RETURNING "x"', [A, B]],
    ['INSERT INTO "billing"."invoices"("id") VALUES ($1::uuid) ON CONFLICT DO NOTHING ', [A]],
    ['insert into billing.invoices as i (x, id) values ((select max(y) from other), $1)', [A]],
    ['INSERT INTO "billing"."invoices"("x") VALUES ($1)', undefined],
    ['INSERT INTO "billing"."invoices"("ID") VALUES ($1)', undefined],
    ['INSERT INTO "billing"."invoices"("id", "x") VALUES ($1, $2), (DEFAULT, $3)', undefined],
    ['INSERT INTO "billing"."invoices"("id") VALUES (gen_random_uuid())', undefined],
    ['INSERT INTO "billing"."invoices"("id") VALUES (($1))', undefined],
    ['INSERT INTO "billing"."invoices"("id") VALUES ($1::text::uuid)', undefined],
    ['INSERT INTO "billing"."invoices"("id") VALUES ($1) UNION SELECT "id" FROM "other"', undefined],
    ['INSERT INTO "billing"."invoices" VALUES ($1)', undefined],
    ['INSERT INTO "billing"."invoices" DEFAULT VALUES', undefined],
    ['INSERT INTO "billing"."invoices"("id") SELECT "id" FROM "other" WHERE "id" = $1', undefined],
    ['INSERT INTO "billing"."invoices" (SELECT * FROM "other")', undefined],
  ])('%s', (sql, ids) => {
    expect(idsOf(sql)).toEqual(ids);
  });

  const upsert = 'INSERT INTO "billing"."invoices"("tenant_id", "id", "x") VALUES ($3, $1, $3), ($3, $2, $3)';
  it.each([
    ['ON CONFLICT ( "tenant_id", "id" ) DO UPDATE SET "x" = EXCLUDED."x" RETURNING "x"', [A, B]],
    ['ON CONFLICT ( "id" ) DO UPDATE SET "x" = 1 WHERE "invoices"."x" IS DISTINCT FROM EXCLUDED."x"', [A, B]],
    ['ON CONFLICT ( "x" ) DO NOTHING ', [A, B]],
    ['ON CONFLICT ( "x" ) DO UPDATE SET "y" = EXCLUDED."y"', undefined],
    ['ON CONFLICT ( "x" ) DO UPDATE SET "id" = EXCLUDED."id"', undefined],
    ['ON CONFLICT ( "id" ) DO UPDATE SET "y" = 1, "id" = $3', undefined],
    ['ON CONFLICT ( "x" ) WHERE ( "id" = 1 ) DO UPDATE SET "y" = 1', undefined],
    ['ON CONFLICT (lower("id")) DO UPDATE SET "y" = 1', undefined],
    ['ON CONFLICT ON CONSTRAINT "id" DO UPDATE SET "y" = 1', undefined],
  ])('upsert %s', (clause, ids) => {
    expect(idsOf(`${upsert} ${clause}`)).toEqual(ids);
  });

  it('can be of anything where a SELECT could pass for the rows', () => {
    const sql = 'INSERT INTO t("id") SELECT 1 FROM a JOIN b ON conflict ON CONFLICT DO NOTHING';
    expect(writtenRows(sql, [])).toBe('anything');
  });
});

describe('a condition that names ids', () => {
  it.each([
    ['"id" = $1', [A]],
    ['id=$2', [B]],
    ['ID = $1', [A]],
    ['("id" = $1)', [A]],
    ['(("tenant_id" = $3 AND "id" = $1))', [A]],
    ['"id" = $1 AND "x" > 3 AND NOT ("y" = 1 OR "z")', [A]],
    ['"x" BETWEEN 1 AND 2 AND "id" = $1', [A]],
    ['( "id" = $1 AND ("x" = 1 OR "y" = 2) ) AND "billing"."invoices"."tenant_id" = $3', [A]],
    ['"invoices"."id" = $1', [A]],
    ['"billing"."invoices"."id" = $1', [A]],
    ['"id" IN ($1, $2)', [A, B]],
    ['"id" IN ($1::uuid, $1)', [A]],
    ['"id" = $1::uuid', [A]],
    ['"id" = ANY(ARRAY[$1, $2]::uuid[])', [A, B]],
    ['"id" = ANY(ARRAY[$1])', [A]],
    ['(("tenant_id" = $3 AND "id" = $1) OR ("tenant_id" = $3 AND "id" = $2))', [A, B]],
    ['("id" = $1 OR "id" = $2) AND "x" = CASE WHEN "y" AND "z" THEN 1 ELSE 2 END', [A, B]],
    ['"x" = (SELECT max("y") FROM "other" WHERE "id" = $2) AND "id" = $1', [A]],
    ['"x" IS NOT DISTINCT FROM $3 AND "id" = $1', [A]],
    ['/* AND id = $2 */ "x" = \' OR id = $2 \' -- OR id = $3\n AND "id" = $1', [A]],
    ['"and" = 1 AND "or" = 2 AND "id" = $1', [A]],
  ])('%s', (condition, ids) => {
    expect(idsWhere(condition)).toEqual(ids);
  });

  it('takes a list from one parameter', () => {
    expect(idsWhere('"id" = ANY($1)', [[A, B]])).toEqual([A, B]);
    expect(idsWhere('"id" = ANY($1::uuid[])', [[]])).toEqual([]);
    expect(idsWhere('"id" = ANY($1)', [`{${A}}`])).toBeUndefined();
    expect(idsWhere('"id" = ANY($1)', [[A, [B]]])).toBeUndefined();
    expect(idsWhere('"id" = ANY($1)', [[A, null]])).toBeUndefined();
    expect(idsWhere('"id" = $1', [[A]])).toBeUndefined();
  });

  it('writes ids as the server does', () => {
    const spellings = [A.toUpperCase(), `{${A}}`, A.replaceAll('-', ''), A.replace(/(.{4})-/g, '$1')];
    for (const spelling of spellings) expect(idsWhere('"id" = $1', [spelling])).toEqual([A]);
    expect(idsWhere('"id" = $1', ['0aaa-aaaa-0000-4000-8000-0000-0000-000A'])).toEqual([A]);
    expect(idsWhere('"id" IN ($1, $2, $3)', [7, 9n, '-12'])).toEqual(['7', '9', '-12']);
  });

  it('says nothing when a parameter is no certain id', () => {
    const others = [undefined, null, true, 1.5, NaN, 1e300, '', ' 7', '07', '7.0', 'abc', `${A} `, `{${A}`];
    for (const value of [...others, new Date(0), Buffer.from(A), { toPostgres: () => A }, new String(A)]) {
      expect(idsWhere('"id" = $1', [value])).toBeUndefined();
      expect(idsWhere('"id" IN ($2, $1)', [value, A])).toBeUndefined();
    }
    expect(idsWhere('"id" = $4', [A, B, C])).toBeUndefined();
    expect(idsWhere('"id" = $0')).toBeUndefined();
  });
});

describe('a condition that can hold for any row', () => {
  it.each([
    '"x" = $1',
    '"ID" = $1',
    '"other"."id" = $1',
    '"x"."invoices"."id" = $1',
    '("invoices")."id" = $1',
    '"id" = $1 OR "x" = 2',
    '"x" = 2 OR "y" = 3 AND "id" = $1',
    '("id" = $1 AND "x" = 1) OR "y" = 2',
    'NOT "id" = $1',
    'NOT ("id" = $1)',
    '("id" = $1) IS NOT TRUE',
    '"id" = $1 IS NOT TRUE',
    '("id" = $1) = ($2 = $3)',
    '("id" = $1, true) IS NOT NULL',
    '("id" = $1 AND "x") = ("y")',
    'CASE WHEN "x" AND "id" = $1 AND "y" THEN false ELSE true END',
    '"invoices".end = 3 OR ("x" AND "id" = $1 AND "y")',
    '"x" BETWEEN 1 AND "id" = $1',
    '"x" NOT BETWEEN SYMMETRIC 1 AND id = $1',
    'CASE WHEN "x" AND "id" = $1 THEN false ELSE true END',
    '"x" = CASE WHEN "y" THEN 1 END OR "id" = $1',
    'EXISTS (SELECT 1 WHERE "x" AND "id" = $1)',
    '(SELECT "x" FROM "other" WHERE "x" AND "id" = $1)',
    '((SELECT "x" FROM "other") ORDER BY "x" AND "id" = $1)',
    '((VALUES (true)) UNION SELECT true FROM "other" WHERE true AND "id" = $1)',
    '"id" <> $1',
    '"id" = - $1',
    '"id" =- $1',
    '"id" >= $1',
    '"id" NOT IN ($1)',
    '"id" IN (SELECT $1::uuid)',
    '"id" IN ($1, "x")',
    '"id" IN ($1) IS FALSE',
    '"id" = ALL($1)',
    '"id" = ANY(SELECT $1::uuid)',
    '"id" = ANY($1::text::uuid[])',
    '"id" = ANY(ARRAY[$1] || "x")',
    '"id" = ANY(ARRAY[$1]) IS FALSE',
    '"id" = $1::text',
    '"id" = $1 || $2',
    '"id" = $1 + 1',
    '"id" = "x"',
    '$1 = "x" AND true',
    '("id", "x") = ($1, $2)',
    '"id" IS NULL',
    `"id" = '${A}'`,
    'CURRENT OF "c"',
    '\u0131d = $1',
    // No blank to the server, but a letter.
    '"x" OR\u00a0id = $1',
  ])('%s', (condition) => {
    expect(idsWhere(condition)).toBeUndefined();
  });

  it('is none at all, or too deep to be looked into', () => {
    expect(idsWhere(`${'('.repeat(5_000)}"id" = $1${')'.repeat(5_000)}`)).toBeUndefined();
    expect(idsOf('DELETE FROM "billing"."invoices"')).toBeUndefined();
    expect(idsOf('UPDATE "billing"."invoices" SET "x" = 1 RETURNING "id" = $1 AS where')).toBeUndefined();
    expect(idsOf('DELETE FROM "billing"."invoices" RETURNING "id" = $1')).toBeUndefined();
    expect(idsOf('UPDATE "billing"."invoices" SET "x" = ("id" = $1)')).toBeUndefined();
  });
});

describe('UPDATE and DELETE', () => {
  it.each([
    ['UPDATE "billing"."invoices" SET "x" = "x" + 1, "at" = CURRENT_TIMESTAMP WHERE "id" = $1', [A]],
    ['UPDATE "billing"."invoices" SET "n" = $1, "v" = "v" + 1 WHERE "id" IN ($2) RETURNING "v"', [B]],
    ['UPDATE "billing"."invoices" SET "deleted_at" = NULL, "x" = DEFAULT WHERE "id" = $1', [A]],
    ['UPDATE "billing"."invoices" SET "x" = "y" IS DISTINCT FROM "z" WHERE "id" = $1', [A]],
    ['UPDATE "billing"."invoices" SET "x" = $2::timestamp with time zone WHERE "id" = $1', [A]],
    ['UPDATE "billing"."invoices" SET "x" = (SELECT count(*) FROM "o" WHERE true) WHERE "id" = $1', [A]],
    ['UPDATE "billing"."invoices" AS "i" SET "x" = 1 WHERE "i"."id" = $1', [A]],
    ['UPDATE "billing"."invoices" i SET "x" = lower($2) WHERE i.id = $1 AND i.x = $3::varchar(3)', [A]],
    ['UPDATE "billing"."invoices" i SET "x" = 1 WHERE "invoices"."id" = $1', undefined],
    ['UPDATE "billing"."invoices" SET "id" = $2 WHERE "id" = $1', undefined],
    ['UPDATE "billing"."invoices" SET "x" = 1, id = $2 WHERE "id" = $1', undefined],
    ['/* of a comment */ DELETE FROM "billing"."invoices" WHERE "id" = $1', [A]],
    ['/* "a" /* nested */ \' */ DELETE FROM billing.invoices i WHERE i.id = $1', [A]],
    ['DELETE FROM Billing.Invoices WHERE "id" = $1', [A]],
  ])('%s', (sql, ids) => {
    expect(idsOf(sql)).toEqual(ids);
  });

  it('keeps a name as it is quoted, and puts a table without schema in public', () => {
    expect(writtenRows('DELETE FROM "Two ""Words" WHERE "id" = $1', [A])).toEqual([
      { table: 'public.Two "Words', ids: [A] },
    ]);
    expect(writtenRows('TRUNCATE TABLE "a", b.c RESTART IDENTITY', [])).toEqual([
      { table: 'public.a', ids: undefined },
      { table: 'b.c', ids: undefined },
    ]);
    // The server takes no letter beyond ASCII for the upper case of another one.
    expect(writtenRows('DELETE FROM \u212aEY', [])).toEqual([{ table: 'public.\u212aey', ids: undefined }]);
    expect(writtenRows('TRUNCATE "only"', [])).toEqual([{ table: 'public.only', ids: undefined }]);
  });
});

describe('statements that write no rows', () => {
  it.each([
    '',
    '-- nothing',
    'SELECT "a"."id" AS "a_id" FROM "t" "a" WHERE "a"."x" IN ($1) FOR UPDATE',
    'SELECT COUNT(DISTINCT("a"."x")) AS "cnt" FROM "t" "a" LEFT JOIN (SELECT max(x) FROM t) b ON (a.x = b.x)',
    'SELECT DISTINCT ON ("a"."x") lower(x), count(*) OVER (PARTITION BY (x) ORDER BY (y)) FROM t a LIMIT 1',
    'SELECT 1 FROM t GROUP BY (x) HAVING (count(*) FILTER (WHERE true)) > 1',
    'SELECT \'delete from t; with\' AS "into(", CAST($1 AS numeric(10, 2)), x::varchar(3) FROM t',
    'SAVEPOINT typeorm_1',
    'RELEASE SAVEPOINT typeorm_1',
    'ROLLBACK TO SAVEPOINT typeorm_1',
    'BEGIN',
    'START TRANSACTION ISOLATION LEVEL SERIALIZABLE',
    'COMMIT',
    'ROLLBACK',
    "SET LOCAL lock_timeout = '1s'",
    'SHOW server_version',
  ])('%s', (sql) => {
    expect(writtenRows(sql, [])).toBeUndefined();
  });
});

describe('statements of which it cannot be told', () => {
  it.each([
    'WITH x AS (DELETE FROM t RETURNING id) SELECT 1',
    'WITH x AS (SELECT 1) UPDATE t SET x = 1',
    'SELECT 1; DELETE FROM t',
    'BEGIN; DELETE FROM t',
    'SELECT 1;',
    'SELECT x INTO y FROM t',
    'SELECT evil()',
    'SELECT evil ()',
    'SELECT evil/* a comment */()',
    'SELECT "lower"(x) FROM t',
    'SELECT "in"(x) FROM t',
    'SELECT app.lower(x) FROM t',
    'SELECT app.in(x) FROM t',
    'SELECT by(1)',
    'SELECT over(1)',
    'SELECT join(1)',
    'SELECT set(1)',
    'SELECT constructor(1)',
    'SELECT * FROM evil($1)',
    'SELECT * FROM t WHERE x = ANY(evil($1))',
    "SELECT nextval('s')",
    'UPDATE t SET x = evil() WHERE id = $1',
    'UPDATE t SET x = 1 WHERE id = $1 AND evil(x)',
    'UPDATE t SET x = 1 WHERE id = $1 RETURNING evil(x)',
    'UPDATE t SET x = 1 FROM u WHERE u.id = $1',
    'UPDATE t SET (x, y) = ($1, $2) WHERE id = $1',
    'UPDATE t SET x[1] = 2 WHERE id = $1',
    'UPDATE ONLY t SET x = 1',
    'UPDATE t * SET x = 1',
    'UPDATE a.b.c SET x = 1',
    'UPDATE "a.b" SET x = 1',
    `UPDATE ${'x'.repeat(64)} SET x = 1`,
    'DELETE FROM t USING u WHERE u.id = $1',
    'DELETE FROM t WHERE id = $1; DELETE FROM u',
    'DELETE t',
    'INSERT INTO t(id) VALUES ($1), (evil())',
    'INSERT INTO t(id) SELECT id FROM evil()',
    'INSERT INTO t(id) VALUES ($1) RETURNING evil(id)',
    'INSERT INTO t(id) VALUES ($1) ON CONFLICT (id) DO UPDATE SET x = evil()',
    'INSERT INTO t(id) VALUES ($1) ON CONFLICT (evil(id)) DO NOTHING',
    'INSERT INTO t(x[1]) VALUES ($1)',
    'TRUNCATE t CASCADE',
    'TRUNCATE ONLY t',
    'TRUNCATE t WHATEVER',
    'MERGE INTO t USING u ON t.id = u.id WHEN MATCHED THEN DELETE',
    'COPY t FROM STDIN',
    'CALL evil()',
    'DO $$ BEGIN DELETE FROM t; END $$',
    'EXECUTE evil',
    'PREPARE evil AS DELETE FROM t',
    'EXPLAIN ANALYZE DELETE FROM t',
    'DROP TABLE t',
    'ALTER TABLE t ADD x int',
    "COMMIT PREPARED 'x'",
    "ROLLBACK PREPARED 'x'",
    'VALUES (evil())',
    'nonsense',
    'DELETE FROM t WHERE x = $$a$$ AND id = $1',
    'DELETE FROM t WHERE x = $a$ OR $a$ AND id = $1',
    "DELETE FROM t WHERE x = E'\\' OR true --' AND id = $1",
    "DELETE FROM t WHERE x = '\\' AND id = $1",
    'DELETE FROM U&"\\0074" WHERE id = $1',
    "DELETE FROM t WHERE x = U&'\\0027' AND id = $1",
    'DELETE FROM t WHERE id = $1 /* unending',
    "DELETE FROM t WHERE id = $1 AND x = 'unending",
    'DELETE FROM "t',
    'DELETE FROM t WHERE id = $1x',
    'DELETE FROM t WHERE x = 1a AND id = $1',
    'DELETE FROM t WHERE id = $1 /* \0 */',
    'INSERT INTO t(id) WITH x AS (DELETE FROM u RETURNING id) SELECT id FROM x',
    'DELETE FROM t WHERE x = \u0001 AND id = $1',
    // Letters that JavaScript takes for k and s, the server does not.
    'DELETE FROM t U\u017fING u',
    '\u017fELECT 1',
  ])('%s', (sql) => {
    expect(writtenRows(sql, [A, B])).toBe('anything');
  });
});

@Entity({ schema: 'billing', name: 'customers' })
class Customer extends ShardedEntity {
  @Column({ type: 'text', unique: true })
  email!: string;
}

const toCustomer = [
  { name: 'tenant_id', referencedColumnName: 'tenantId' },
  { name: 'customer_id', referencedColumnName: 'id' },
];

@Entity({ schema: 'billing', name: 'invoices' })
class Invoice extends ShardedEntity {
  @ManyToOne(() => Customer, { onDelete: 'CASCADE' })
  @JoinColumn(toCustomer)
  customer!: Customer;

  @ManyToOne(() => Invoice, { onDelete: 'SET NULL' })
  @JoinColumn([
    { name: 'corrected_tenant', referencedColumnName: 'tenantId' },
    { name: 'corrected_id', referencedColumnName: 'id' },
  ])
  corrected!: Invoice | null;
}

@Entity()
class Line extends ShardedEntity {
  @ManyToOne(() => Invoice, { onDelete: 'SET NULL' })
  @JoinColumn([
    { name: 'invoice_tenant', referencedColumnName: 'tenantId' },
    { name: 'invoice_id', referencedColumnName: 'id' },
  ])
  invoice!: Invoice;

  @ManyToMany(() => Customer)
  @JoinTable({ name: 'line_payers' })
  payers!: Customer[];
}

@Entity({ name: 'letters' })
class Letter extends ShardedEntity {
  @ManyToOne(() => Customer, { onUpdate: 'CASCADE', onDelete: 'NO ACTION' })
  @JoinColumn({ name: 'recipient', referencedColumnName: 'email' })
  recipient!: Customer;

  /** Refers to a line's key, which removal of an invoice does not change. */
  @ManyToOne(() => Line, { onDelete: 'CASCADE', onUpdate: 'RESTRICT' })
  @JoinColumn([
    { name: 'line_tenant', referencedColumnName: 'tenantId' },
    { name: 'line_id', referencedColumnName: 'id' },
  ])
  line!: Line;
}

@Entity({ name: 'stamps' })
class Stamp extends ShardedEntity {
  @ManyToOne(() => Letter, { onDelete: 'RESTRICT' })
  letter!: Letter;
}

describe('referential actions', () => {
  let referencing: ReturnType<typeof referencingTables>;

  class Metadata extends DataSource {
    build(): Promise<void> {
      return this.buildMetadatas();
    }
  }

  beforeAll(async () => {
    const entities = [Customer, Invoice, Line, Letter, Stamp];
    const dataSource = new Metadata({ type: 'postgres', driver: pg, entities });
    await dataSource.build();
    referencing = referencingTables(dataSource.entityMetadatas);
  });

  const written = (sql: string): readonly WrittenTable[] => {
    const tables = writtenRows(sql, [A, B], { referencing });
    if (tables === undefined || tables === 'anything') throw new Error(`${String(tables)}: ${sql}`);
    return [...tables].sort((one, other) => (one.table < other.table ? -1 : 1));
  };
  const any = (table: string): WrittenTable => ({ table, ids: undefined });

  it('drag along what refers to removed rows, from table to table', () => {
    expect(written('DELETE FROM "billing"."customers" WHERE "id" = $1')).toEqual([
      { table: 'billing.customers', ids: [A] },
      ...[any('billing.invoices'), any('public.line'), any('public.line_payers')],
    ]);
    expect(written('DELETE FROM "line" WHERE "id" = $1')).toEqual([
      ...[any('public.letters'), { table: 'public.line', ids: [A] }, any('public.line_payers')],
    ]);
    expect(written('DELETE FROM "letters" WHERE "id" = $1')).toEqual([{ table: 'public.letters', ids: [A] }]);
  });

  it('leave no row of a table certain that refers to itself', () => {
    expect(written('DELETE FROM "billing"."invoices" WHERE "id" = $1')).toEqual([
      any('billing.invoices'),
      any('public.line'),
    ]);
  });

  it('drag along what refers to changed columns', () => {
    expect(written('UPDATE "billing"."customers" SET "email" = $2 WHERE "id" = $1')).toEqual([
      { table: 'billing.customers', ids: [A] },
      any('public.letters'),
    ]);
    expect(written('UPDATE "billing"."customers" SET "bucket" = $2 WHERE "id" = $1')).toEqual([
      { table: 'billing.customers', ids: [A] },
    ]);
    const upsert = 'INSERT INTO "billing"."customers"("id", "email") VALUES ($1, $2) ON CONFLICT ("id") DO';
    expect(written(`${upsert} UPDATE SET "email" = EXCLUDED."email"`)).toContainEqual(any('public.letters'));
    expect(written(`${upsert} NOTHING`)).toEqual([{ table: 'billing.customers', ids: [A] }]);
  });

  it('are none without being asked for', () => {
    expect(writtenRows('DELETE FROM "billing"."customers" WHERE "id" = $1', [A])).toEqual([
      { table: 'billing.customers', ids: [A] },
    ]);
  });
});

describe('a text that is known', () => {
  it('is read with the parameters of the call', () => {
    const sql = 'DELETE FROM "billing"."invoices" WHERE "id" IN ($1, $2)';
    expect(idsOf(sql, [A, B])).toEqual([A, B]);
    expect(idsOf(sql, [C, C])).toEqual([C]);
    expect(idsOf(sql, [C, null])).toBeUndefined();
    expect(idsOf(sql, [A, B])).toEqual([A, B]);
  });

  it('makes room for others', () => {
    const rows = Array.from({ length: 8_000 }, (_, index) => `($${index + 1})`).join();
    for (let at = 0; at < 3_000; at++) expect(idsWhere(`"x" = ${at} AND "id" = $1`)).toEqual([A]);
    expect(idsOf(`INSERT INTO "billing"."invoices"("id") VALUES ${rows}`, Array(8_000).fill(A))).toEqual([A]);
  });
});
