import { Injectable, Module, type INestApplicationContext } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { getDataSourceToken } from '@nestjs/typeorm';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Decimal } from 'decimal.js';
import { In, MoreThan, type DataSource } from 'typeorm';
import {
  DataGateway,
  DataGatewayModule,
  GatewayContext,
  InjectShardedRepository,
  ScopeConflictError,
  ScopeMissingError,
  ShardedRepository,
  ValidationError,
} from '../../src/index.js';
import { GatewayRuntime } from '../../src/gateway/gateway-runtime.js';
import { CreateBilling1763800000100, Invoice, InvoiceLine } from '../support/billing.js';
import type { ClusterConfig } from '../../src/sharding/cluster/cluster-config.js';
import { ownDatabases, runAsAdmin } from '../support/own-databases.js';

@Injectable()
class InvoiceService {
  constructor(
    @InjectShardedRepository(Invoice) readonly invoices: ShardedRepository<Invoice>,
    readonly gateway: DataGateway,
  ) {}
}

@Module({ imports: [DataGatewayModule.forFeature([Invoice, InvoiceLine])], providers: [InvoiceService] })
class BillingModule {}

let app: INestApplicationContext;
let invoices: ShardedRepository<Invoice>;
let gateway: DataGateway;
let config: ClusterConfig;

/** Every test has a tenant of its own. */
let tenants = 0;
function as<T>(tenantId: string, userId: string | undefined, fn: () => T): T {
  return GatewayContext.run({ tenantId, userId, actor: 'test' }, fn);
}
function newTenant(): string {
  tenants += 1;
  return `tenant-${tenants}`;
}

function invoice(number: string, total = '10.5'): { number: string; total: Decimal } {
  return { number, total: new Decimal(total) };
}

/** Users of the tenant, at least one on each shard. */
function usersOnBothShards(tenantId: string): [string, string] {
  const users = Array.from({ length: 100 }, (_, index) => `user${index}`);
  const on = (shardId: string): string =>
    users.find((userId) => gateway.route({ tenantId, userId }).shardId === shardId) ?? '';
  return [on('s0'), on('s1')];
}

beforeAll(async () => {
  config = await ownDatabases();
  const module = await Test.createTestingModule({
    imports: [
      DataGatewayModule.forRoot({
        ...config,
        entities: [Invoice, InvoiceLine],
        migrations: [CreateBilling1763800000100],
      }),
      BillingModule,
    ],
  }).compile();
  app = await module.init();
  ({ invoices, gateway } = app.get(InvoiceService));
}, 60_000);

afterAll(async () => {
  await app.close();
});

describe('ShardedRepository', () => {
  it('saves a row with its relation on its user’s shard and reads it back as classes with exact decimals', async () => {
    await as(newTenant(), 'alice', async () => {
      const saved = await invoices.save({
        ...invoice('1', '1234567890123456.7891'),
        lines: [
          Object.assign(new InvoiceLine(), { what: 'a' }),
          Object.assign(new InvoiceLine(), { what: 'b' }),
        ],
      });
      const found = await invoices.findOneOrFail({ where: { id: saved.id }, relations: { lines: true } });
      expect(found).toBeInstanceOf(Invoice);
      expect(found.total).toBeInstanceOf(Decimal);
      expect(found.total.toFixed(4)).toBe('1234567890123456.7891');
      expect(found.lines.map(({ what }) => what).sort()).toEqual(['a', 'b']);
      expect(found.lines.every((line) => line.bucket === found.bucket && line.userId === 'alice')).toBe(true);
    });
  });

  it('has the finds of TypeORM: operators, order, select, take, count, exists', async () => {
    await as(newTenant(), 'alice', async () => {
      await invoices.insert(['1', '2', '3'].map((number) => invoice(number, number)));
      const dear = await invoices.find({
        where: { total: MoreThan(new Decimal('1.5')) },
        order: { number: 'DESC' },
        select: { id: true, number: true },
        take: 1,
      });
      expect(dear.map(({ number }) => number)).toEqual(['3']);
      expect(await invoices.countBy([{ number: '1' }, { number: '2' }])).toBe(2);
      expect(await invoices.existsBy({ number: In(['9']) })).toBe(false);
      expect((await invoices.findAndCount({ take: 2 }))[1]).toBe(3);
    });
  });

  it('changes rows: update, increment, upsert, soft delete, restore, delete', async () => {
    await as(newTenant(), 'alice', async () => {
      const { id } = await invoices.save(invoice('1'));
      expect((await invoices.update(id, { number: '1b' })).affected).toBe(1);
      await invoices.increment({ id }, 'reminders', 2);
      await invoices.decrement(id, 'reminders', 1);
      expect((await invoices.findOneBy({ id }))?.reminders).toBe(1);
      await invoices.upsert({ ...invoice('1b', '99'), id }, ['id']);
      expect((await invoices.findById(id))?.total.toFixed(4)).toBe('99.0000');
      await invoices.softDelete(id);
      expect(await invoices.findById(id)).toBeNull();
      await invoices.restore(id);
      expect((await invoices.delete([id])).affected).toBe(1);
      expect(await invoices.count()).toBe(0);
    });
  });

  it('keeps users of one tenant apart, and finds any row of the tenant by its id alone', async () => {
    const tenantId = newTenant();
    const [left, right] = usersOnBothShards(tenantId);
    const { id } = await as(tenantId, left, () => invoices.save(invoice('1')));
    await as(tenantId, right, async () => {
      expect(await invoices.findOneBy({ id })).toBeNull();
      expect((await invoices.findById(id, { from: 'primary' }))?.userId).toBe(left);
      expect((await invoices.forUser(left).find()).length).toBe(1);
    });
  });

  it('shows nothing of another tenant, also by id', async () => {
    const { id } = await as(newTenant(), 'alice', () => invoices.save(invoice('1')));
    await as(newTenant(), 'alice', async () => {
      expect(await invoices.findById(id)).toBeNull();
      expect((await invoices.update({ id }, { number: 'x' })).affected).toBe(0);
      expect(await invoices.onAllShards().count()).toBe(0);
    });
  });

  it('holds a query builder to tenant and user, whatever conditions its user sets', async () => {
    const tenantId = newTenant();
    const { id } = await as(tenantId, 'alice', () => invoices.save(invoice('1')));
    await as(newTenant(), 'alice', () => invoices.save(invoice('2')));
    await as(tenantId, 'alice', async () => {
      const rows = await invoices.createQueryBuilder('i').where('1 = 1').orWhere('true').getMany();
      expect(rows.map((row) => row.id)).toEqual([id]);
      const joined = await invoices
        .createQueryBuilder('i')
        .leftJoinAndSelect('i.lines', 'l')
        .take(5)
        .getMany();
      expect(joined.length).toBe(1);
      const updated = await invoices
        .createQueryBuilder('i', { from: 'primary' })
        .update()
        .set({ number: '1c' })
        .where('true')
        .execute();
      expect(updated.affected).toBe(1);
    });
    await as(tenantId, 'bob', async () => {
      expect(await invoices.createQueryBuilder('i').where('true').getCount()).toBe(0);
    });
  });

  it('refuses rows and conditions of somebody else, and changes of whose row it is', async () => {
    await as(newTenant(), 'alice', async () => {
      await expect(invoices.save({ ...invoice('1'), userId: 'bob' })).rejects.toThrow(ScopeConflictError);
      await expect(invoices.find({ where: { tenantId: 'other' } })).rejects.toThrow(ScopeConflictError);
      await expect(invoices.update({ number: '1' }, { bucket: 3 })).rejects.toThrow(ScopeConflictError);
      await expect(invoices.delete({})).rejects.toThrow(ValidationError);
      await expect(invoices.findBy([])).rejects.toThrow(ValidationError);
      await expect(invoices.delete([])).rejects.toThrow(ValidationError);
    });
  });

  it('refuses an id that was not minted for the user, and an amount that is a number', async () => {
    await as(newTenant(), 'alice', async () => {
      const foreign = gateway.mintId('bob');
      await expect(invoices.save({ ...invoice('1'), id: foreign })).rejects.toThrow(ValidationError);
      await expect(async () =>
        invoices.save({ number: '1', total: 0.1 as unknown as Decimal }),
      ).rejects.toThrow(ValidationError);
    });
  });

  it('throws without a tenant or a user in scope', async () => {
    await expect(invoices.find()).rejects.toThrow(ScopeMissingError);
    await as(newTenant(), undefined, async () => {
      await expect(invoices.find()).rejects.toThrow(ScopeMissingError);
      expect(await invoices.forUser('alice').find()).toEqual([]);
    });
  });

  it('shows a user their own write at once, and in the end from a replica', async () => {
    const tenantId = newTenant();
    await as(tenantId, 'alice', () => invoices.save(invoice('1')));
    for (let source: string | undefined; source !== 'replica';) {
      source = await as(tenantId, 'alice', async () => {
        expect(await invoices.count()).toBe(1);
        return GatewayContext.trace()?.source;
      });
    }
  });
});

describe('onAllShards', () => {
  it('merges the rows of all shards in order, and goes on behind a cursor without gap or repetition', async () => {
    const tenantId = newTenant();
    const users = usersOnBothShards(tenantId);
    const numbers = ['ä', 'Z', 'a', '\u{1F600}', '\uFFFD', 'B', 'b', 'é', 'zz', '0'];
    await as(tenantId, undefined, async () => {
      for (const [index, number] of numbers.entries()) {
        await invoices.forUser(users[index % 2] ?? '').save(invoice(number));
      }
      const inBytes = [...numbers].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
      const all = await invoices.onAllShards().find({ order: { number: 'ASC' }, from: 'primary' });
      expect(all.map(({ number }) => number)).toEqual(inBytes);
      const paged: string[] = [];
      for (let cursor: string | null | undefined; cursor !== null;) {
        const page = await invoices
          .onAllShards()
          .page({ order: { number: 'DESC' }, limit: 3, from: 'primary', cursor: cursor ?? undefined });
        paged.push(...page.items.map(({ number }) => number));
        cursor = page.nextCursor;
      }
      expect(paged).toEqual(inBytes.reverse());
      expect(await invoices.onAllShards().count({ from: 'primary' })).toBe(numbers.length);
    });
  });

  it('loads relations, and limits rows rather than joined rows', async () => {
    const tenantId = newTenant();
    await as(tenantId, 'alice', () =>
      invoices.save({
        ...invoice('1'),
        lines: ['a', 'b', 'c'].map((what) => Object.assign(new InvoiceLine(), { what })),
      }),
    );
    await as(tenantId, undefined, async () => {
      const [first] = await invoices
        .onAllShards()
        .find({ relations: { lines: true }, take: 2, from: 'primary' });
      expect(first?.lines.length).toBe(3);
    });
  });
});

describe('DataGateway', () => {
  it('keeps a transaction together or not at all, and reads in it what it wrote', async () => {
    const tenantId = newTenant();
    await as(tenantId, 'alice', async () => {
      const failed = gateway.transaction({}, async (tx) => {
        const { id } = await tx.getRepository(Invoice).save(invoice('1'));
        expect((await tx.lock(Invoice, [id])).length).toBe(1);
        expect(await tx.query('SELECT number FROM billing.invoices')).toEqual([{ number: '1' }]);
        throw new Error('changed my mind');
      });
      await expect(failed).rejects.toThrow('changed my mind');
      expect(await invoices.count({ from: 'primary' })).toBe(0);
      await gateway.transaction({ isolation: 'SERIALIZABLE' }, (tx) =>
        tx.getRepository(Invoice).save(invoice('2')),
      );
      expect(await invoices.count()).toBe(1);
    });
  });

  it('runs raw SQL in the tenant’s scope, on one shard or on all, and refuses a SELECT that writes on a replica', async () => {
    const tenantId = newTenant();
    const [left, right] = usersOnBothShards(tenantId);
    await as(tenantId, undefined, async () => {
      await invoices.forUser(left).save(invoice('l'));
      await invoices.forUser(right).save(invoice('r'));
      const sql = 'SELECT number FROM billing.invoices ORDER BY number';
      expect(await gateway.query(sql, [], { userId: left })).toEqual([{ number: 'l' }]);
      const everywhere = await gateway.query(sql, [], { allShards: true }, { from: 'primary' });
      expect(everywhere.map(({ number }) => number).sort()).toEqual(['l', 'r']);
      const changed = `UPDATE billing.invoices SET number = $1 WHERE number = $2 RETURNING number`;
      expect(await gateway.query(changed, ['l2', 'l'], { userId: left })).toEqual([{ number: 'l2' }]);
      const writing = `WITH w AS (UPDATE billing.invoices SET number = 'x' RETURNING 1) SELECT * FROM w`;
      await expect(gateway.query(writing, [], { userId: left })).rejects.toThrow("{ from: 'primary' }");
      await expect(gateway.query('SELECT 1; SELECT 2', [], { userId: left })).rejects.toThrow();
    });
  });

  it('gives the primary of a shard to @InjectDataSource, held to the tenant in scope', async () => {
    const dataSource = app.get<DataSource>(getDataSourceToken('s0'));
    const tenantId = newTenant();
    const [left] = usersOnBothShards(tenantId);
    await as(tenantId, left, async () => {
      await dataSource.getRepository(Invoice).save({
        ...invoice('1'),
        tenantId,
        userId: left,
        id: gateway.mintId(left),
        bucket: gateway.route({ tenantId, userId: left }).bucket,
      });
      expect(await invoices.count({ from: 'primary' })).toBe(1);
    });
    await as(newTenant(), left, async () => {
      expect(await dataSource.getRepository(Invoice).count()).toBe(0);
    });
    expect(() => dataSource.createQueryRunner()).toThrow(ScopeMissingError);
  });

  it('says what is wrong with a statement without saying the statement or its values', async () => {
    await as(newTenant(), 'alice', async () => {
      await invoices.save(invoice('secret-number'));
      const error = await invoices.insert(invoice('secret-number')).catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({ driverError: { code: '23505' } });
      expect(JSON.stringify(error) + String(error)).not.toMatch(/secret-number|INSERT/);
    });
  });
});

describe('the runtime', () => {
  it('listens for changes of the catalog', async () => {
    const { rows } = await runAsAdmin(
      config.catalog.adminUrl,
      `SELECT 1 FROM pg_stat_activity
       WHERE application_name = 'shardgate-listen' AND datname = current_database()`,
    );
    expect(rows.length).toBe(1);
  });
});

describe('the two walls between tenants', () => {
  const everywhere = { where: { number: '1' }, from: 'primary' } as const;

  async function rowOfEach(): Promise<[string, string]> {
    const [mine, theirs] = [newTenant(), newTenant()];
    for (const tenantId of [mine, theirs]) await as(tenantId, 'alice', () => invoices.save(invoice('1')));
    return [mine, theirs];
  }

  it('each suffices: without row-level security the statements’ own conditions hold', async () => {
    const [mine] = await rowOfEach();
    const onEachPrimary = (sql: string): Promise<unknown> =>
      Promise.all(config.shards.map(({ primary }) => runAsAdmin(primary.adminUrl, sql)));
    await onEachPrimary('ALTER TABLE billing.invoices DISABLE ROW LEVEL SECURITY');
    try {
      await as(mine, 'alice', async () => {
        const rows = [
          ...(await invoices.find(everywhere)),
          ...(await invoices.onAllShards().find(everywhere)),
          ...(await invoices.createQueryBuilder('i', { from: 'primary' }).where('true').getMany()),
        ];
        expect(rows.map(({ tenantId }) => tenantId)).toEqual([mine, mine, mine]);
        expect((await invoices.update({ number: '1' }, { reminders: 1 })).affected).toBe(1);
      });
    } finally {
      await onEachPrimary('ALTER TABLE billing.invoices ENABLE ROW LEVEL SECURITY');
    }
  });

  it('each suffices: without conditions in the statement row-level security holds', async () => {
    const [mine, theirs] = await rowOfEach();
    const { access } = app.get(GatewayRuntime);
    const shardOfTheirs = gateway.route({ tenantId: theirs, userId: 'alice' }).shardId;
    await as(mine, 'alice', async () => {
      const seen = await access.write({ shardId: shardOfTheirs }, (manager) => manager.find(Invoice));
      expect(seen.every(({ tenantId }) => tenantId === mine)).toBe(true);
      const changed = await access.write({ shardId: shardOfTheirs }, (manager) =>
        manager.update(Invoice, { tenantId: theirs }, { reminders: 9 }),
      );
      expect(changed.affected).toBe(0);
    });
  });
});
