import { Any, Between, Brackets, Equal, In, Like, MoreThan, Not, NotBrackets, Or } from 'typeorm';
import type { EntityManager, FindOptionsWhere } from 'typeorm';
import { Author, Book, Fee, Letter, Loan, Reader, Shelf, Tag, Visit } from './written-rows-library.js';

/** Numbers that choose the rows and values of an operation. */
export type Picks = readonly [number, number, number, number];

const IDS = Array.from({ length: 6 }, (_, at) => `${at}aaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeee${at}`);
const TENANTS = ['acme', 'zeta'] as const;
const TEXTS = ['a', 'b', "it's; -- $1", 'd', 'e'] as const;

const idOf = (pick: number): string => IDS[pick % IDS.length]!;
const textOf = (pick: number): string => TEXTS[pick % TEXTS.length]!;
const tenantOf = (pick: number): string => TENANTS[pick % TENANTS.length]!;
const emailOf = (pick: number): string => `${textOf(pick)}@mail`;
const own = (tenant: number, id: number) => ({
  tenantId: tenantOf(tenant),
  id: idOf(id),
  userId: 'user',
  bucket: 7,
});
const reader = (tenant: number, id: number, name: number) => ({ ...own(tenant, id), name: textOf(name) });
const key = (tenant: number, id: number) => ({ tenantId: tenantOf(tenant), id: idOf(id) });
const tag = (pick: number) => ({ id: pick % 4, label: `tag ${pick % 4}` });

type Operation = (manager: EntityManager, picks: Picks) => Promise<unknown>;

/** What applications do to a library. An operation may fail, by a key that is taken say. */
export const OPERATIONS: Readonly<Record<string, Operation>> = {
  saveReader: (m, [a, b, c]) => m.save(Reader, reader(a, b, c)),
  saveReaders: (m, [a, b, c]) =>
    m.save(Reader, [reader(a, b, c), reader(a, b + 1, c + 1), reader(a + 1, b, c)]),
  saveWithoutTransaction: (m, [a, b, c]) => m.save(Reader, reader(a, b, c), { transaction: false }),
  insertReader: (m, [a, b, c]) => m.insert(Reader, reader(a, b, c)),
  insertReaders: (m, [a, b, c]) => m.insert(Reader, [reader(a + 1, b, c), reader(a + 1, b + 1, c + 1)]),
  upsertById: (m, [a, b, c]) =>
    m.upsert(Reader, [reader(a, b, c), reader(a, b + 1, c + 2)], ['tenantId', 'id']),
  upsertByName: (m, [a, b, c, d]) =>
    m.upsert(Reader, { ...reader(a, b, c), visits: d }, ['tenantId', 'name']),
  upsertChangedOnly: (m, [a, b, c]) =>
    m.upsert(Reader, reader(a, b, c), {
      conflictPaths: ['tenantId', 'id'],
      skipUpdateIfNoValuesChanged: true,
    }),
  upsertAuthorByEmail: (m, [a, b]) => m.upsert(Author, { email: emailOf(a), name: textOf(b) }, ['email']),
  upsertAuthorById: (m, [a, b]) => m.upsert(Author, { id: idOf(a), email: emailOf(b) }, ['id']),
  insertOrIgnore: (m, [a, b, c]) =>
    m
      .createQueryBuilder()
      .insert()
      .into(Reader)
      .values(reader(a, b, c))
      .orIgnore()
      .execute(),
  orUpdate: (m, [a, b, c, d]) =>
    m
      .createQueryBuilder()
      .insert()
      .into(Reader)
      .values({ ...reader(a, b, c), visits: d })
      .orUpdate(['id', 'visits'], ['tenant_id', 'name'])
      .execute(),
  insertSelected: (m, [a]) =>
    m.query(`INSERT INTO "visits"("note") SELECT "label" FROM "tags" WHERE "id" = $1`, [a % 4]),

  updateByKey: (m, [a, b, c]) => m.update(Reader, key(a, b), { visits: c }),
  updateById: (m, [a, b]) => m.update(Book, idOf(a), { title: textOf(b) }),
  updateByIds: (m, [a, b, c]) => m.update(Book, [idOf(a), idOf(b)], { title: textOf(c) }),
  updateByAlternatives: (m, [a, b, c]) => m.update(Reader, anyOf([key(a, b), key(a, b + 1)]), { visits: c }),
  updateByOneOf: (m, [a, b, c]) => m.update(Reader, { id: In([idOf(a), idOf(b)]) }, { visits: c }),
  updateByAnyOf: (m, [a, b, c]) => m.update(Reader, { id: Any([idOf(a), idOf(b)]) }, { visits: c }),
  updateByOrOperator: (m, [a, b, c]) =>
    m.update(Reader, { id: Or(Equal(idOf(a)), Equal(idOf(b))) }, { visits: c }),
  updateOthers: (m, [a, b]) => m.update(Reader, { id: Not(idOf(a)) }, { visits: b }),
  updateByName: (m, [a, b, c]) => m.update(Reader, { tenantId: tenantOf(a), name: textOf(b) }, { visits: c }),
  updateBetween: (m, [a, b]) => m.update(Reader, { visits: Between(0, a), id: idOf(b) }, { name: textOf(a) }),
  updateAll: (m, [a]) => m.updateAll(Reader, { visits: a }),
  increment: (m, [a, b, c]) => m.increment(Reader, key(a, b), 'visits', c),
  decrementMany: (m, [a, b]) => m.decrement(Reader, { visits: MoreThan(a) }, 'visits', b),
  softDelete: (m, [a, b]) => m.softDelete(Reader, key(a, b)),
  softDeleteAlternatives: (m, [a, b]) => m.softDelete(Reader, anyOf([key(a, b), key(a + 1, b)])),
  restore: (m, [a, b]) => m.restore(Reader, key(a, b)),
  restoreAll: (m) => m.restore(Reader, { name: Like('%') }),
  softRemove: async (m, [a]) => m.softRemove(await m.find(Reader, { where: { tenantId: tenantOf(a) } })),
  recover: async (m, [a]) => m.recover(await m.find(Reader, { where: { id: idOf(a) }, withDeleted: true })),
  changeEmail: (m, [a, b]) => m.update(Author, { email: emailOf(a) }, { email: emailOf(b + 2) }),
  changeEmailById: (m, [a, b]) => m.update(Author, idOf(a), { email: emailOf(b + 2) }),
  changeAuthorId: (m, [a, b]) =>
    m
      .createQueryBuilder()
      .update(Author)
      .set({ id: idOf(b) })
      .where('id = :id', { id: idOf(a) })
      .execute(),

  deleteByKey: (m, [a, b]) => m.delete(Reader, key(a, b)),
  deleteAlternatives: (m, [a, b]) => m.delete(Reader, anyOf([key(a, b), key(a + 1, b + 1)])),
  deleteByIds: (m, [a, b]) => m.delete(Book, [idOf(a), idOf(b)]),
  deleteByTitle: (m, [a]) => m.delete(Book, { title: textOf(a) }),
  deleteAuthor: (m, [a]) => m.delete(Author, idOf(a)),
  deleteTag: (m, [a]) => m.delete(Tag, a % 4),
  removeReaders: async (m, [a]) => m.remove(await m.findBy(Reader, { tenantId: tenantOf(a) })),
  removeBook: async (m, [a]) => m.remove(await m.findBy(Book, { id: In([idOf(a), idOf(a + 1)]) })),
  removeLoan: async (m, [a]) =>
    m.remove(await m.find(Loan, { where: { id: idOf(a) }, relations: { fees: true } })),
  clearLetters: (m) => m.clear(Letter),
  clearVisits: (m) => m.clear(Visit),

  builderUpdate: (m, [a, b, c]) =>
    m
      .createQueryBuilder()
      .update(Reader)
      .set({ visits: () => 'visits + 1', name: textOf(c) })
      .where('id = :id AND (tenant_id = :tenant)', { id: idOf(a), tenant: tenantOf(b) })
      .returning(['id', 'visits'])
      .execute(),
  builderUpdateOfAlias: (m, [a, b]) =>
    m
      .createQueryBuilder(Book, 'book')
      .update()
      .set({ title: textOf(b) })
      .where('title <> :title', { title: textOf(b) })
      .andWhere(new Brackets((q) => q.where('id IN (:...ids)', { ids: [idOf(a), idOf(a + 1)] })))
      .comment('of the day: "id" = $1')
      .execute(),
  builderUpdateOr: (m, [a, b]) =>
    m
      .createQueryBuilder()
      .update(Book)
      .set({ title: textOf(b) })
      .where('"id" = :id', { id: idOf(a) })
      .orWhere('"title" = :other', { other: textOf(b + 1) })
      .execute(),
  builderUpdateNot: (m, [a, b]) =>
    m
      .createQueryBuilder()
      .update(Book)
      .set({ title: textOf(b) })
      .where(new NotBrackets((q) => q.where('"id" = :id', { id: idOf(a) })))
      .execute(),
  builderUpdateInIds: (m, [a, b, c]) =>
    m
      .createQueryBuilder()
      .update(Reader)
      .set({ visits: c })
      .whereInIds([key(a, b), key(a, b + 1)])
      .execute(),
  builderDelete: (m, [a, b]) =>
    m
      .createQueryBuilder()
      .delete()
      .from(Loan)
      .where('"library"."loans"."id" = :id', { id: idOf(a) })
      .andWhere('tenant_id = :tenant', { tenant: tenantOf(b) })
      .execute(),
  builderDeleteBySubquery: (m, [a]) =>
    m
      .createQueryBuilder()
      .delete()
      .from(Book)
      .where(`"id" IN (SELECT "book_id" FROM "library"."loans" WHERE "id" = :id)`, { id: idOf(a) })
      .execute(),
  builderSoftDelete: (m, [a]) =>
    m
      .createQueryBuilder()
      .softDelete()
      .from(Reader)
      .where('id = ANY(:ids)', { ids: [idOf(a)] })
      .execute(),

  saveLoan: (m, [a, b, c, d]) =>
    m.save(Loan, {
      ...own(a, b),
      reader: key(a, c),
      book: d % 2 === 0 ? { id: idOf(d) } : null,
      fees: Array.from({ length: d % 3 }, (_, at) => ({ ...own(a, b + c + at), amount: `${d}.${at}` })),
    }),
  saveFee: (m, [a, b, c, d]) => m.save(Fee, { ...own(a, b), amount: `${c}`, loan: key(a, d) }),
  dropFees: async (m, [a]) => {
    const loan = await m.findOne(Loan, { where: { id: idOf(a) }, relations: { fees: true } });
    if (loan !== null) await m.save(Object.assign(loan, { fees: loan.fees.slice(1) }));
  },
  saveBook: (m, [a, b, c, d]) =>
    m.save(Book, {
      id: idOf(a),
      title: textOf(b),
      author: c % 2 === 0 ? null : { id: idOf(c) },
      sequelTo: d % 2 === 0 ? null : { id: idOf(d) },
      tags: [tag(c), tag(d)],
    }),
  retag: async (m, [a, b]) => {
    const book = await m.findOne(Book, { where: { id: idOf(a) }, relations: { tags: true } });
    if (book !== null) await m.save(Object.assign(book, { tags: [m.create(Tag, tag(b))] }));
  },
  addTag: (m, [a, b]) =>
    m
      .createQueryBuilder()
      .relation(Book, 'tags')
      .of(idOf(a))
      .add(b % 4),
  removeTag: (m, [a, b]) =>
    m
      .createQueryBuilder()
      .relation(Book, 'tags')
      .of(idOf(a))
      .remove(b % 4),
  setAuthor: (m, [a, b]) => m.createQueryBuilder().relation(Book, 'author').of(idOf(a)).set(idOf(b)),
  addFee: (m, [a, b, c]) => m.createQueryBuilder().relation(Loan, 'fees').of(key(a, b)).add(key(a, c)),
  saveAuthor: (m, [a, b, c]) => m.save(Author, { id: idOf(a), email: emailOf(b), name: textOf(c) }),
  saveNewAuthor: (m, [a]) => m.save(Author, { email: emailOf(a + 2) }),
  saveLetter: (m, [a, b]) => m.save(Letter, { id: idOf(a), recipient: { email: emailOf(b) } }),
  sendLetter: (m, [a, b]) => m.insert(Letter, { id: idOf(a + 4), recipient: { email: emailOf(b) } }),
  saveShelf: (m, [a, b, c]) =>
    m.save(Shelf, { id: idOf(a), label: textOf(b), parent: c % 2 === 0 ? null : { id: idOf(c) } }),
  removeShelf: async (m, [a]) => m.remove(await m.findBy(Shelf, { id: idOf(a) })),
  saveVisit: (m, [a]) => m.save(Visit, { note: textOf(a) }),
  saveVisits: (m, [a, b]) => m.save(Visit, [{ note: textOf(a) }, { id: b % 3, note: textOf(b) }]),

  find: (m, [a, b]) =>
    m.findAndCount(Book, {
      where: { id: Not(idOf(a)) },
      relations: { tags: true, author: true },
      order: { title: 'ASC' },
      take: b % 3,
    }),
  findLocked: (m, [a]) =>
    m.transaction((t) => t.findOne(Reader, { where: { id: idOf(a) }, lock: { mode: 'pessimistic_write' } })),
  aggregates: (m, [a]) => Promise.all([m.maximum(Reader, 'visits'), m.existsBy(Tag, { id: a % 4 })]),
  transaction: (m, [a, b, c, d]) =>
    m.transaction(async (t) => {
      await t.save(Reader, reader(a, b, c));
      await t
        .transaction(async (nested) => {
          await nested.delete(Reader, key(a, b + 1));
          if (d % 2 === 0) throw new Error('A change of mind.');
        })
        .catch(() => undefined);
      await t.increment(Reader, key(a, b), 'visits', 1);
      if (d % 3 === 0) throw new Error('Another one.');
    }),
};

/** TypeORM takes alternatives everywhere; some of its types do not say so. */
function anyOf<T>(alternatives: FindOptionsWhere<T>[]): FindOptionsWhere<T> {
  return alternatives as unknown as FindOptionsWhere<T>;
}

/** Rows for operations to begin with. */
export async function fill(manager: EntityManager): Promise<void> {
  const tables = manager.dataSource.entityMetadatas.map(({ tablePath }) =>
    tablePath
      .split('.')
      .map((part) => `"${part}"`)
      .join('.'),
  );
  await manager.query(`TRUNCATE ${tables.join()} CASCADE`);
  for (let at = 0; at < 4; at++) {
    await manager.insert(Reader, reader(0, at, at));
    await manager.insert(Author, { id: idOf(at), email: emailOf(at) });
    await manager.insert(Tag, tag(at));
    await manager.insert(Book, { id: idOf(at), title: textOf(at), author: { id: idOf(at - (at % 2)) } });
    await manager.insert(Loan, { ...own(0, at), reader: key(0, at), book: { id: idOf(at) } });
    await manager.insert(Fee, { ...own(0, at), amount: '1', loan: key(0, at) });
    await manager.insert(Letter, { id: idOf(at), recipient: { email: emailOf(at) } });
    await manager.save(Shelf, {
      id: idOf(at),
      label: 'shelf',
      parent: at === 0 ? null : { id: idOf(at - 1) },
    });
  }
  await manager.query(`UPDATE "books" SET "sequelToId" = $1 WHERE "id" = $2`, [idOf(0), idOf(1)]);
  await manager.query(
    `INSERT INTO "book_tags" SELECT "b"."id", "t"."id" FROM "books" "b", "tags" "t" WHERE "t"."id" > 0`,
  );
}
