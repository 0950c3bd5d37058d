import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import {
  AfterLoad,
  Column,
  DataSource,
  DeleteDateColumn,
  Entity,
  In,
  IsNull,
  JoinColumn,
  ManyToOne,
  PrimaryColumn,
  Raw,
  RelationId,
  TableInheritance,
  VirtualColumn,
  type EntitySubscriberInterface,
  type FindManyOptions,
} from 'typeorm';
import { CompiledEntity } from '../../src/persistence/compiled/compiled-entity.js';
import { compileRowReader, readColumnsOf } from '../../src/persistence/compiled/row-reader.js';
import { ShardedEntity } from '../../src/persistence/sharded-entity.js';

@Entity({ schema: 'billing', name: 'customers' })
class Customer extends ShardedEntity {
  @Column({ type: 'text' })
  name!: string;
}

@Entity({ schema: 'billing', name: 'invoices' })
class Invoice extends ShardedEntity {
  @Column({ name: 'is_paid', type: 'boolean' })
  paid!: boolean;

  @Column({ type: 'uuid', nullable: true, select: false })
  customerId!: string | null;

  @DeleteDateColumn({ name: 'deleted_at', type: 'timestamptz' })
  deletedAt!: Date | null;
}

@Entity()
class Order extends ShardedEntity {
  @ManyToOne(() => Customer, { eager: true })
  @JoinColumn([
    { name: 'tenant_id', referencedColumnName: 'tenantId' },
    { name: 'customer_id', referencedColumnName: 'id' },
  ])
  customer!: Customer;
}

@Entity({ orderBy: { bucket: 'DESC' } })
class Sorted extends ShardedEntity {}

@Entity()
class Counted extends ShardedEntity {
  @VirtualColumn({ query: (alias) => `SELECT length(${alias}."user_id")` })
  length!: number;
}

@Entity()
class Watched extends ShardedEntity {
  @AfterLoad()
  loaded(): void {
    Object.assign(this, { isLoaded: true });
  }
}

@Entity()
class Linked extends ShardedEntity {
  @ManyToOne(() => Customer)
  customer!: Customer;

  @RelationId((linked: Linked) => linked.customer)
  customerIds!: unknown;
}

@Entity()
class Lazy extends ShardedEntity {
  @ManyToOne(() => Customer, { lazy: true })
  customer!: Promise<Customer>;
}

@Entity()
@TableInheritance({ column: { type: 'text', name: 'kind' } })
class Base extends ShardedEntity {}

@Entity()
class TwoTexts extends ShardedEntity {
  @PrimaryColumn({ type: 'text' })
  code!: string;
}

class Shipment {
  @DeleteDateColumn({ type: 'timestamptz' })
  deletedAt!: Date | null;
}

@Entity()
class DeletedWithin extends ShardedEntity {
  @Column(() => Shipment)
  shipment!: Shipment;
}

const LEFT_TO_TYPEORM = [Counted, Watched, Linked, Lazy, Base, TwoTexts, DeletedWithin];

/** TypeORM's metadata without a server. */
class Metadata extends DataSource {
  override async initialize(): Promise<this> {
    await this.buildMetadatas();
    return this;
  }
}

async function metadataOf(): Promise<Metadata> {
  const entities = [Customer, Invoice, Order, Sorted, ...LEFT_TO_TYPEORM];
  return new Metadata({ type: 'postgres', driver: pg, entities }).initialize();
}

const tenantId = 'acme';
let source: Metadata;
let invoices: CompiledEntity<Invoice>;

beforeAll(async () => {
  source = await metadataOf();
  invoices = CompiledEntity.of<Invoice>(source.getMetadata(Invoice))!;
});

describe('a compiled select', () => {
  it('reads the visible columns of the live rows, one parameter a value', () => {
    const where = [{ tenantId, paid: false, id: In(['a', 'b']) }];
    expect(invoices.select({ where, order: { id: 'DESC' }, take: 20, skip: 5 })).toEqual({
      text:
        'select "tenant_id", "id", "user_id", "bucket", "is_paid", "deleted_at" from "billing"."invoices"' +
        ' where ("tenant_id" = $1 and "is_paid" = $2 and "id" = any($3)) and "deleted_at" is null' +
        ' order by "id" desc limit 20 offset $4',
      params: ['acme', false, ['a', 'b'], 5],
      knownColumns: [],
      known: [],
    });
  });

  it('does not ask for what the conditions say of every row', () => {
    const id = '0192d3a4-5b6c-7abc-8def-0123456789ab';
    const select = invoices.select({ where: { tenantId, id, paid: true } });
    expect(select?.text).toBe(
      'select "user_id", "bucket", "is_paid", "deleted_at" from "billing"."invoices"' +
        ' where ("tenant_id" = $1 and "id" = $2 and "is_paid" = $3) and "deleted_at" is null',
    );
    expect(select?.known).toEqual([tenantId, id]);
    expect(select?.knownColumns.map(({ propertyName }) => propertyName)).toEqual(['tenantId', 'id']);
  });

  it.each([
    ['an id in capitals, which the server writes otherwise', '0192D3A4-5B6C-7ABC-8DEF-0123456789AB'],
    ['a list, even of one', In(['0192d3a4-5b6c-7abc-8def-0123456789ab'])],
  ])('asks for %s', (_, id) => {
    expect(invoices.select({ where: { tenantId, id } })?.text).toMatch(/^select "id", "user_id"/);
  });

  it('has the same text for the same shape, whatever the values and the length of a list', () => {
    const text = (ids: string[], take: number) =>
      invoices.select({ where: { tenantId, id: In(ids) }, take })?.text;
    expect(text(['a'], 33)).toBe(text(['b', 'c', 'd'], 77));
    expect(text(['a'], 33)).not.toBe(text(['a'], 20));
  });

  it('reads several ids of a tenant by one statement, and one id by another', () => {
    expect(invoices.byIds?.one.text).toMatch(
      / where \("tenant_id" = \$1 and "id" = \$2\) and "deleted_at" is null$/,
    );
    expect(invoices.byIds?.several.text).toMatch(
      / where \("tenant_id" = \$1 and "id" = any\(\$2::uuid\[\]\)\) and "deleted_at" is null$/,
    );
  });

  it('goes on behind a row by comparing rows, or by alternatives where directions differ', () => {
    const { columns } = source.getMetadata(Invoice);
    const [user, id] = ['userId', 'id'].map((name) => columns.find((each) => each.propertyName === name)!);
    const page = (direction: 'ASC' | 'DESC') =>
      invoices.selectPage({
        where: { tenantId },
        ordering: [
          { column: user!, direction: 'ASC', collateC: true },
          { column: id!, direction, collateC: false },
        ],
        after: ['u1', 'i1'],
        limit: 7,
      });
    expect(page('ASC')?.text).toMatch(
      /and \(\("user_id" collate "C", "id"\) > \(\$2, \$3\)\) and .* order by "user_id" collate "C" ASC, "id" ASC limit \$4$/,
    );
    expect(page('DESC')?.text).toContain(
      '("user_id" collate "C" >= $2 and (("user_id" collate "C" > $2) or ("user_id" collate "C" = $2 and "id" < $3)))',
    );
    expect(page('DESC')?.params).toEqual([tenantId, 'u1', 'i1', 7]);
  });

  it('leaves operators as they were, so that TypeORM can be asked afterwards', () => {
    const ids = In(['a']);
    invoices.select({ where: { tenantId, id: ids } });
    expect(ids.value).toEqual(['a']);
  });
});

describe('what is left to TypeORM', () => {
  it.each<readonly [string, unknown]>([
    ['a selection', { select: { id: true } }],
    ['relations', { relations: {} }],
    ['a lock', { lock: { mode: 'pessimistic_read' } }],
    ['a comment', { comment: 'why' }],
    ['a cache', { cache: true }],
    ['a transaction', { transaction: true }],
    ['ids of relations', { loadRelationIds: true }],
    ['a loading strategy', { relationLoadStrategy: 'query' }],
    ['an option that is not known', { hint: 'x' }],
    ['null as a value', { where: { tenantId, customerId: null } }],
    ['undefined as a value', { where: { tenantId, customerId: undefined } }],
    ['an operator with SQL of its own', { where: { tenantId, paid: Raw((alias) => `${alias} is true`) } }],
    ['a property that is none', { where: { tenantId, nonsense: 1 } }],
    ['a direction that is none', { order: { id: 'sideways' } }],
    ['half a row', { take: 0.5 }],
    ['rows before the first', { skip: -1 }],
  ])('%s', (_, options) => {
    expect(invoices.select(options as FindManyOptions<Invoice>)).toBeUndefined();
  });

  it.each(LEFT_TO_TYPEORM.map((entity) => [entity.name, entity] as const))('the entity %s', (_, entity) => {
    expect(CompiledEntity.of(source.getMetadata(entity))).toBeUndefined();
  });

  it('eager relations, unless they are not wanted', () => {
    const orders = CompiledEntity.of<Order>(source.getMetadata(Order))!;
    expect(orders.select({ where: { tenantId } })).toBeUndefined();
    expect(orders.byIds).toBeUndefined();
    expect(orders.select({ where: { tenantId }, loadEagerRelations: false })).toBeDefined();
  });

  it('the order that an entity declares, unless another is given', () => {
    const sorted = CompiledEntity.of<Sorted>(source.getMetadata(Sorted))!;
    expect(sorted.select({ where: { tenantId } })).toBeUndefined();
    expect(sorted.select({ where: { tenantId }, order: { id: 'ASC' } })).toBeDefined();
  });

  it('everything as soon as a subscriber wants to hear of loads', async () => {
    const watched = await metadataOf();
    const compiled = CompiledEntity.of<Invoice>(watched.getMetadata(Invoice))!;
    const options = { where: { tenantId, deletedAt: IsNull() } };
    expect(compiled.select(options)).toBeDefined();
    const subscriber: EntitySubscriberInterface = { afterLoad: () => undefined };
    watched.subscribers.push(subscriber);
    expect([compiled.select(options), compiled.byIds]).toEqual([undefined, undefined]);
  });
});

describe('a row reader', () => {
  it('refuses parsers of another number than its columns', () => {
    const metadata = source.getMetadata(Customer);
    expect(() => compileRowReader(metadata, [String])).toThrow('5 columns');
    expect(readColumnsOf(metadata)).toHaveLength(5);
  });

  it('works without generated code where the process forbids that', async () => {
    const script = `
      import 'reflect-metadata';
      import pg from 'pg';
      import { DataSource, EntitySchema } from 'typeorm';
      import { compileRowReader } from './src/persistence/compiled/row-reader.ts';
      class Note { pinned = false; }
      const notes = new EntitySchema({ name: 'note', target: Note, columns: {
        id: { type: 'uuid', primary: true }, at: { type: 'timestamptz', nullable: true } } });
      class Metadata extends DataSource { async initialize() { await this.buildMetadatas(); return this; } }
      const source = await new Metadata({ type: 'postgres', driver: pg, entities: [notes] }).initialize();
      const note = compileRowReader(source.getMetadata(Note), [String, String])(['a', null], []);
      console.log(note instanceof Note, JSON.stringify(note));
      try { new Function(''); } catch (error) { console.log(error.name); }`;
    const { stdout } = await promisify(execFile)(process.execPath, [
      '--disallow-code-generation-from-strings',
      '--import=./test/support/register-typescript.js',
      '--input-type=module',
      '--eval',
      script,
    ]);
    expect(stdout).toBe('true {"pinned":false,"id":"a","at":null}\nEvalError\n');
  });
});
