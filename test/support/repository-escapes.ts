import { Raw } from 'typeorm';
import type { GatewayTransaction } from '../../src/gateway/gateway-transaction.js';
import type { GatewayFixture } from './gateway-fixture.js';
import { Note } from './note.js';

/** An attempt to get at the rows of another tenant with text that a caller gives to TypeORM's interface. */
export interface RepositoryEscape {
  readonly what: string;
  readonly run: (fixture: GatewayFixture) => Promise<unknown>;
}

/** Rows of another tenant, for whoever may still choose whose rows the statement is about. */
function lootOf(victimTenant: string): string {
  return `(with s as materialized (select set_config('shardgate.tenant_id', '${victimTenant}', true) as v)
    select string_agg(n.body, ',') from s, lateral (select * from notes.notes where s.v is not null) n)`;
}

const COLUMNS = ['tenant_id', 'id', 'user_id', 'bucket', 'body', 'title'];

/** Ways to give text to a repository, a query builder, a transaction's manager, and a node's data source. */
export function repositoryEscapes(victimTenant: string): RepositoryEscape[] {
  const loot = lootOf(victimTenant);
  const setting = `set_config('shardgate.tenant_id', '${victimTenant}', true) is not null`;
  const notes = ({ runtime }: GatewayFixture) => runtime.gateway.repository(Note);
  const raw = Raw((column) => `${column} is null or ${loot}::int > 0`);
  const rawSetting = Raw((column) => `${column} is not null or ${setting}`);
  const text = (value: string) => value as never;
  const inTransaction = (
    fixture: GatewayFixture,
    login: 'shared' | 'tenant',
    work: (tx: GatewayTransaction) => Promise<unknown>,
  ) => fixture.runtime.gateway.transaction({ login }, work);
  // What TypeORM leaves of it ends its comment; the columns are named as it reads them.
  const comment = (alias: string) => `**// with s as materialized
    (select set_config('shardgate.tenant_id', '${victimTenant}', true) as v)
    select ${COLUMNS.map((column) => `n.${column} as "${alias}_${column}"`).join(', ')}, n.body as cnt
    from s, lateral (select * from notes.notes where s.v is not null) n
    where $1::text is not null and $2::text is not null -- `;
  const list: Record<string, RepositoryEscape['run']> = {
    'a builder’s condition': (f) => notes(f).createQueryBuilder('n').where(`1=1 or ${setting}`).getMany(),
    'a builder’s condition on the primary': (f) =>
      notes(f).createQueryBuilder('n', { from: 'primary' }).where(`${loot}::int > 0`).getMany(),
    'a builder’s selection': (f) => notes(f).createQueryBuilder('n').select(loot, 'x').getRawMany(),
    'a builder’s selection added': (f) =>
      notes(f).createQueryBuilder('n', { from: 'primary' }).addSelect(loot, 'x').getRawMany(),
    'a builder’s order': (f) => notes(f).createQueryBuilder('n').orderBy(loot).getMany(),
    'a builder’s groups': (f) =>
      notes(f)
        .createQueryBuilder('n')
        .select(loot, 'x')
        .groupBy(`n.id, ${loot}`)
        .having(setting)
        .getRawMany(),
    'a builder’s join': (f) =>
      notes(f).createQueryBuilder('n').leftJoin(loot, 'x', setting).select('x.*').getRawMany(),
    'a builder’s table': (f) => notes(f).createQueryBuilder('n').from(loot, 'x').select('x.*').getRawMany(),
    'a builder’s expression': (f) =>
      notes(f)
        .createQueryBuilder('n')
        .addCommonTableExpression(`select ${loot} as v`, 'c')
        .select('(select v from c)', 'x')
        .getRawMany(),
    'a builder’s alias': (f) => notes(f).createQueryBuilder(`n" cross join ${loot} as "x`).getRawMany(),
    'a builder’s comment': (f) =>
      notes(f).createQueryBuilder('n').where('$1=$2').comment(comment('n')).getMany(),
    'a builder’s update': (f) =>
      notes(f)
        .createQueryBuilder('n', { from: 'primary' })
        .update()
        .set({ body: () => loot })
        .where(`true or ${setting}`)
        .returning('*')
        .execute(),
    'a builder’s deletion': (f) =>
      notes(f)
        .createQueryBuilder('n', { from: 'primary' })
        .delete()
        .where(`${setting} and false`)
        .returning(loot)
        .execute(),
    'a find’s condition': (f) => notes(f).find({ where: { body: raw } }),
    'a find’s condition with a setting': (f) =>
      notes(f).find({ where: { body: rawSetting }, from: 'primary' }),
    'a condition in every other read': async (f) => [
      await notes(f).findOne({ where: { body: rawSetting } }),
      await notes(f).findBy([{ body: rawSetting }, { title: rawSetting }]),
      await notes(f).findAndCount({ where: { body: rawSetting } }),
      await notes(f).countBy({ body: rawSetting }),
      await notes(f).existsBy({ body: rawSetting }),
      await notes(f)
        .onAllShards()
        .find({ where: { body: rawSetting } }),
      await notes(f)
        .onAllShards()
        .page({ where: { body: rawSetting }, limit: 10 }),
      await notes(f)
        .onAllShards()
        .count({ where: { body: rawSetting } }),
    ],
    'a find’s order': (f) => notes(f).find({ order: { [loot]: 'ASC' } }),
    'a find’s direction': (f) => notes(f).find({ order: { body: text(`ASC, ${loot}`) }, from: 'primary' }),
    'a find’s selection': (f) => notes(f).find({ select: { [loot]: true } }),
    'a find’s selection as a list': (f) => notes(f).find({ select: text([loot] as never) }),
    'a find’s key': (f) => notes(f).find({ where: { [`body" = '' or ${setting} or "body`]: 'x' } }),
    'a find’s relation': (f) => notes(f).find({ relations: { [loot]: true } }),
    'a find’s relation ids': (f) => notes(f).find({ loadRelationIds: { relations: [loot] } }),
    'a find’s limit': (f) => notes(f).find({ take: text(`1 offset ${loot}::int`), skip: text(loot) }),
    'a find’s lock': (f) =>
      notes(f).find({ lock: { mode: 'pessimistic_read', tables: [`n" ${loot}`], onLocked: text(loot) } }),
    'a find’s comment': (f) => notes(f).find({ comment: comment('Note') }),
    'a find’s comment on the primary': (f) => notes(f).find({ comment: comment('Note'), from: 'primary' }),
    'a find’s comment beside a relation strategy': (f) =>
      notes(f).findOne({ where: { body: 'x' }, comment: comment('Note').replaceAll('$2', '$3') }),
    'a count’s comment': (f) => notes(f).count({ comment: comment('Note'), from: 'primary' }),
    'a list’s order': (f) =>
      notes(f)
        .onAllShards()
        .find({ order: { [loot]: 'ASC' } }),
    'a list’s direction': (f) =>
      notes(f)
        .onAllShards()
        .find({ order: { id: text(`ASC, ${loot}`) } }),
    'an update’s value': (f) => notes(f).update({ bucket: 7 }, { body: () => loot }),
    'an update’s key': (f) => notes(f).update({ bucket: 7 }, { [`body" = ${loot}, "title`]: 'x' }),
    'an update’s condition': (f) => notes(f).update({ body: rawSetting }, { body: 'x' }),
    'a deletion’s condition': (f) => notes(f).delete({ body: Raw((c) => `${c} = 'x' and ${setting}`) }),
    'an insert’s value': (f) => notes(f).insert({ title: 'inserted', body: () => loot }),
    'an insert’s key': (f) => notes(f).insert({ [`body") select ${loot} --`]: 'x' }),
    'an upsert’s conflict': (f) => notes(f).upsert({ body: 'x' }, [`id") do update set body = ${loot} --`]),
    'an increment’s amount': (f) => notes(f).increment({ bucket: 7 }, 'title', `1 + ${loot}::int`),
    'an increment’s column': (f) => notes(f).increment({ bucket: 7 }, `title" = ${loot}, "body`, 1),
    'a decrement’s amount': (f) => notes(f).decrement({ bucket: 7 }, 'title', `1 - ${loot}::int`),
    'an id': (f) => notes(f).findById(`' or ${setting} --`),
    'a transaction’s condition': (f) =>
      inTransaction(f, 'tenant', (tx) => tx.getRepository(Note).find({ where: { body: raw } })),
    'a transaction’s manager': (f) =>
      inTransaction(f, 'tenant', (tx) => tx.manager.query<unknown>(`select ${loot}`)),
    'a transaction’s comment': (f) =>
      inTransaction(f, 'tenant', (tx) => tx.getRepository(Note).find({ comment: comment('Note') })),
    'a statement of a shared transaction': (f) =>
      inTransaction(f, 'shared', (tx) => tx.query(`select ${loot}`)),
    'a builder of a shared transaction': (f) =>
      inTransaction(f, 'shared', (tx) =>
        tx.getRepository(Note).createQueryBuilder('n').select(loot, 'x').getRawMany(),
      ),
    'a condition of a shared transaction': (f) =>
      inTransaction(f, 'shared', (tx) => tx.getRepository(Note).find({ where: { body: raw } })),
    'a value of a shared transaction': (f) =>
      inTransaction(f, 'shared', async (tx) => {
        await tx.getRepository(Note).update({ bucket: 7 }, { body: () => loot });
        return tx.getRepository(Note).find();
      }),
    'a comment of a shared transaction': (f) =>
      inTransaction(f, 'shared', (tx) => tx.getRepository(Note).find({ comment: comment('Note') })),
    'a node’s data source': (f) => dataSource(f).query<unknown>(`select ${loot}`),
    'a node’s data source that sets first': async (f) => {
      await dataSource(f).query<unknown>(
        `select set_config('shardgate.tenant_id', '${victimTenant}', false)`,
      );
      return dataSource(f).query<unknown>('select * from notes.notes');
    },
    'a node’s repository': (f) => dataSource(f).getRepository(Note).find(),
    'a node’s builder': (f) =>
      dataSource(f).createQueryBuilder(Note, 'n').select(loot, 'x').where(setting).getRawMany(),
    'a node’s transaction': (f) =>
      dataSource(f).transaction(async (manager) => {
        await manager.query(`select set_config('shardgate.tenant_id', '${victimTenant}', true)`);
        return manager.find(Note);
      }),
    'a node’s query runner': async (f) => {
      const runner = dataSource(f).createQueryRunner();
      try {
        await runner.startTransaction();
        const rows: unknown = await runner.query(`select ${loot}`);
        return rows;
      } finally {
        await runner.release();
      }
    },
    'a replica’s data source': (f) =>
      f.runtime.nodes.replicas(f.shardId)[0]!.dataSource.query<unknown>(`select ${loot}`),
  };
  return Object.entries(list).map(([what, run]) => ({ what, run }));
}

/** What `@InjectDataSource` gives for the shard. */
function dataSource({ runtime, shardId }: GatewayFixture) {
  return runtime.nodes.primary(shardId).dataSource;
}
