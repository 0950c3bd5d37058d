import { beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import pg from 'pg';
import {
  Any,
  Between,
  Column,
  DataSource,
  DeleteDateColumn,
  Entity,
  ILike,
  In,
  IsNull,
  LessThan,
  Not,
  UpdateDateColumn,
  VersionColumn,
  type FindOptionsWhere,
  type QueryBuilder,
} from 'typeorm';
import { writtenRows, type WrittenTable } from '../../src/persistence/statements/written-rows.js';
import { ShardedEntity } from '../../src/persistence/sharded-entity.js';

const RUNS = 400;

@Entity({ schema: 'billing', name: 'Two "Words' })
class Invoice extends ShardedEntity {
  @Column({ type: 'text', nullable: true })
  note!: string | null;

  @Column({ type: 'int' })
  amount!: number;

  @VersionColumn()
  version!: number;

  @UpdateDateColumn({ type: 'timestamptz' })
  changedAt!: Date;

  @DeleteDateColumn({ type: 'timestamptz' })
  deletedAt!: Date | null;
}

class Unconnected extends DataSource {
  build(): Promise<void> {
    return this.buildMetadatas();
  }
}

let dataSource: Unconnected;

beforeAll(async () => {
  dataSource = new Unconnected({ type: 'postgres', driver: pg, entities: [Invoice] });
  await dataSource.build();
});

function written(builder: QueryBuilder<Invoice>): ReturnType<typeof writtenRows> {
  const [sql, params] = builder.getQueryAndParameters();
  return writtenRows(sql, params);
}

function rows(ids: readonly string[] | undefined): WrittenTable[] {
  return [
    { table: 'billing.Two "Words', ids: ids && (expect.arrayContaining([...ids]) as unknown as string[]) },
  ];
}

const id = fc.uuid();
const ids = fc.array(id, { minLength: 1, maxLength: 4 });
const word = fc.constantFrom('a', '\' OR "id" = $1 --', '/* $1', '$1', '{}', '\\', ')');

/** What an alternative says of the id, and the ids that it names; undefined where it names none. */
const idConditions = fc.oneof(
  id.map((one) => ({ where: { id: one }, ids: [one] })),
  id.map((one) => ({ where: { id: one.toUpperCase() }, ids: [one] })),
  ids.map((some) => ({ where: { id: In(some) }, ids: some })),
  ids.map((some) => ({ where: { id: Any(some) }, ids: some })),
  id.map((one) => ({ where: { id: Not(one) }, ids: undefined })),
  ids.map((some) => ({ where: { id: Not(In(some)) }, ids: undefined })),
  fc.constant({ where: {}, ids: undefined }),
);

const otherConditions: fc.Arbitrary<FindOptionsWhere<Invoice>> = fc.record(
  {
    note: fc.oneof(word, word.map(ILike), word.map(Not), fc.constantFrom(IsNull(), Not(IsNull()))),
    amount: fc.oneof(fc.nat(), fc.constantFrom(Between(1, 2), Not(Between(1, 2)), LessThan(3), In([]))),
    userId: word,
  },
  { requiredKeys: [] },
);

const alternatives = fc.array(
  fc.tuple(idConditions, otherConditions, fc.boolean()).map(([named, other, isFirst]) => ({
    where: {
      tenantId: 'acme',
      ...(isFirst ? { ...named.where, ...other } : { ...other, ...named.where }),
    },
    ids: named.ids,
  })),
  { minLength: 1, maxLength: 3 },
);

/** Every alternative has to name its ids. */
function namedBy(given: readonly { readonly ids: readonly string[] | undefined }[]): string[] | undefined {
  const all: string[] = [];
  for (const { ids: some } of given) {
    if (some === undefined) return undefined;
    all.push(...some);
  }
  return [...new Set(all)];
}

describe('the rows that a statement of TypeORM writes', () => {
  it('are those whose ids its conditions name, whatever else they say', () => {
    const kinds = fc.constantFrom('update', 'increment', 'softDelete', 'restore', 'delete');
    fc.assert(
      fc.property(kinds, alternatives, word, fc.boolean(), (kind, given, note, isCommented) => {
        const where = given.map((alternative) => alternative.where);
        const plain = dataSource.createQueryBuilder();
        if (isCommented) plain.comment(note.replaceAll('/*', ''));
        const builders = {
          update: () => plain.update(Invoice).set({ note }).where(where),
          increment: () =>
            plain
              .update(Invoice)
              .set({ amount: () => '"amount" + 1' })
              .where(where),
          softDelete: () => plain.softDelete().from(Invoice).where(where),
          restore: () => plain.restore().from(Invoice).where(where),
          delete: () => plain.delete().from(Invoice).where(where).returning('*'),
        };
        const named = namedBy(given);
        const found = written(builders[kind]());
        expect(found).toEqual(rows(named));
        expect((found as WrittenTable[])[0]?.ids?.length).toBe(named?.length);
      }),
      { numRuns: RUNS },
    );
  });

  it('are the new ones, when each has its id', () => {
    const entries = fc.array(fc.record({ id: fc.option(id, { freq: 8, nil: undefined }), note: word }), {
      minLength: 1,
      maxLength: 4,
    });
    const ends = fc.constantFrom('nothing', 'ignore', 'updateById', 'updateByNote');
    fc.assert(
      fc.property(entries, ends, (given, end) => {
        const values = given.map(({ id: own, note }) => ({
          ...{ tenantId: 'acme', userId: 'u', bucket: 1, amount: 1, note },
          ...(own !== undefined && { id: own }),
        }));
        const insert = dataSource.createQueryBuilder().insert().into(Invoice).values(values);
        if (end === 'ignore') insert.orIgnore();
        if (end === 'updateById') insert.orUpdate(['note', 'amount'], ['tenant_id', 'id']);
        if (end === 'updateByNote') insert.orUpdate(['amount'], ['tenant_id', 'note']);
        const isCertain = end !== 'updateByNote' && given.every((entry) => entry.id !== undefined);
        const all = given.flatMap((entry) => (entry.id === undefined ? [] : [entry.id]));
        expect(written(insert)).toEqual(rows(isCertain ? all : undefined));
      }),
      { numRuns: RUNS },
    );
  });

  it('are none of a SELECT', () => {
    fc.assert(
      fc.property(alternatives, word, (given, note) => {
        const where = given.map((alternative) => alternative.where);
        const select = dataSource
          .createQueryBuilder(Invoice, 'invoice')
          .where(where)
          .andWhere('invoice.note <> :note', { note })
          .orderBy('invoice.id')
          .limit(3);
        expect(written(select)).toBeUndefined();
        expect(
          written(select.clone().select('COUNT(DISTINCT(invoice.id))', 'count').orderBy()),
        ).toBeUndefined();
      }),
      { numRuns: RUNS },
    );
  });
});

describe('a text that is put together otherwise', () => {
  /** Tokens of valid statements and of no statement; `gap` stands where blanks may. */
  const pieces = fc.array(
    fc.constantFrom(
      ...[
        'UPDATE',
        'DELETE',
        'INSERT',
        'SELECT',
        'FROM',
        'INTO',
        'SET',
        'WHERE',
        'VALUES',
        'WITH',
        'AS',
        'DO',
      ],
      ...['AND', 'OR', 'NOT', 'BETWEEN', 'CASE', 'END', 'RETURNING', 'ON', 'CONFLICT', 'TRUNCATE', 'ONLY'],
      ...['id', '"id"', 't', '"t"', '$1', '$2', '=', 'IN', 'ANY', '(', ')', '[', ']', ',', '.', '::', 'uuid'],
      ...["'x'", '"', "'", '/*', '*/', '--', '\n', '$$', ';', '\\', '*', '1', 'x1', '\0', '\u00a0', '\ud800'],
    ),
    { maxLength: 40 },
  );

  it('is answered, whatever it is', () => {
    fc.assert(
      fc.property(
        pieces,
        fc.constantFrom('', ' '),
        fc.constantFrom('', 'DELETE FROM t WHERE '),
        (all, gap, start) => {
          const found = writtenRows(start + all.join(gap), [1, 2]);
          if (start === '') return;
          // Behind this start, whatever follows, rows of that table are written unless it is an error.
          expect(found).toBeDefined();
        },
      ),
      { numRuns: 2_000 },
    );
  });

  it('says the same with other blanks, comments and letters', () => {
    const gap = fc.constantFrom(
      ' ',
      '\n',
      '\t ',
      ' /* OR "id" = $9 */ ',
      ' -- OR true\n',
      '/**/',
      '/* /* ; */ */',
    );
    const texts = fc.constantFrom(
      'DELETE FROM billing . t WHERE ( x = $2 AND t . id IN ( $1 ) ) RETURNING x',
      'UPDATE billing . t AS u SET x = x + 1 , y = DEFAULT WHERE u . id = ANY ( ARRAY [ $1 ] )',
      'INSERT INTO billing . t ( x , id ) VALUES ( now ( ) , $1 ) ON CONFLICT ( id ) DO UPDATE SET x = 1',
    );
    const letters = fc.constantFrom(
      (text: string) => text,
      (text: string) => text.toLowerCase(),
      (text: string) => text.toUpperCase(),
    );
    fc.assert(
      fc.property(texts, letters, fc.infiniteStream(gap), id, (text, spelled, gaps, one) => {
        const sql = text
          .split(' ')
          .map((piece) => `${gaps.next().value ?? ' '}${spelled(piece)}`)
          .join('');
        expect(writtenRows(sql, [one, 2])).toEqual([{ table: 'billing.t', ids: [one] }]);
      }),
      { numRuns: RUNS },
    );
  });
});
