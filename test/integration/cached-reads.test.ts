import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { Decimal } from 'decimal.js';
import { Entity, MoreThan, Raw, type MigrationInterface, type QueryRunner } from 'typeorm';
import {
  GatewayContext,
  Sharded,
  ShardedEntity,
  type DataGateway,
  type ShardedRepository,
} from '../../src/index.js';
import { SILENT_LOG } from '../../src/common/log.js';
import type { ReadSource } from '../../src/common/request-trace.js';
import { resolveGatewayOptions } from '../../src/gateway/gateway-options.js';
import { GatewayRuntime } from '../../src/gateway/gateway-runtime.js';
import type { WrittenPosition } from '../../src/common/written-position.js';
import { decodeTokens, encodeToken } from '../../src/sharding/replication/consistency-token.js';
import type { EmbeddedCluster } from '../../src/sharding/cluster/embedded-cluster.js';
import { CreateBilling1763800000100, Invoice, InvoiceLine } from '../support/billing.js';
import { startOwnCluster } from '../support/cluster.js';
import { StatementLog } from '../support/cache/statement-log.js';
import { eventually } from '../support/eventually.js';
import { runAsAdmin } from '../support/own-databases.js';

const TENANT = 'acme';
const OTHER_TENANT = 'globex';

/** How often an answer is written while it is asked for all the time. */
const WRITES = 60;

let cluster: EmbeddedCluster;
let adminUrl: string;
/** Two processes of one installation, as far as caches and buses are concerned. */
let here: GatewayRuntime;
let there: GatewayRuntime;
let gateway: DataGateway;
let log: StatementLog;
let users = 0;

const RATE_TTL_MS = 700;

/** Rows of which answers may be somewhat old. */
@Sharded({ cache: { ttlMs: RATE_TTL_MS } })
@Entity({ schema: 'billing', name: 'rates' })
class Rate extends ShardedEntity {}

/** Rows that are read from a database always. */
@Sharded({ cache: false })
@Entity({ schema: 'billing', name: 'ledger' })
class Ledger extends ShardedEntity {}

class CreateRates1763800000200 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    for (const table of ['rates', 'ledger']) {
      await queryRunner.query(`
        CREATE TABLE billing.${table} (
          tenant_id text NOT NULL, id uuid NOT NULL, user_id text NOT NULL, bucket smallint NOT NULL,
          PRIMARY KEY (tenant_id, id))`);
    }
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('DROP TABLE billing.rates, billing.ledger');
  }
}

/** A user with a row of each. */
async function ratesAndLedger(): Promise<{ userId: string; ids: Map<object, string> }> {
  users += 1;
  const userId = `user-${users}`;
  const ids = new Map<object, string>();
  for (const type of [Rate, Ledger]) {
    const { answer } = await traced(() => gateway.repository(type).forUser(userId).save({}));
    ids.set(type, answer.id);
  }
  await caughtUp();
  return { userId, ids };
}

/** Runs a call of the tenant's service, in a chain of its own, and says where its reads were answered. */
async function traced<T>(
  read: () => Promise<T>,
  tenantId = TENANT,
): Promise<{ answer: T; source: ReadSource | undefined }> {
  return GatewayContext.run({ tenantId, actor: 'test' }, async () => {
    const answer = await read();
    return { answer, source: GatewayContext.trace()?.source };
  });
}

async function sourceOf(read: () => Promise<unknown>, tenantId = TENANT): Promise<ReadSource | undefined> {
  return (await traced(read, tenantId)).source;
}

/** A user of their own for each test, with invoices that replicas show. */
async function newUser(invoices = 1): Promise<{ userId: string; rows: Invoice[] }> {
  users += 1;
  const userId = `user-${users}`;
  const wanted = Array.from({ length: invoices }, (_, index) => ({
    number: `${userId}-${index}`,
    total: new Decimal(index),
  }));
  const { answer } = await traced(() => gateway.repository(Invoice).forUser(userId).save(wanted));
  await caughtUp();
  return { userId, rows: answer };
}

async function caughtUp(): Promise<void> {
  const position = await here.monitor.currentPosition('s0');
  await eventually('the replica shows everything', () => here.monitor.isEverywhere(position));
}

async function onReplica(sql: string): Promise<void> {
  const url = new URL(cluster.config.shards[0]?.replicas[0]?.url ?? '');
  const admin = new URL(adminUrl);
  url.username = admin.username;
  url.password = admin.password;
  await runAsAdmin(url.href, sql);
}

/** Holds replay on the replica while `fn` runs. */
async function whileReplicaStands<T>(fn: () => Promise<T>): Promise<T> {
  await onReplica('SELECT pg_wal_replay_pause()');
  try {
    return await fn();
  } finally {
    await onReplica('SELECT pg_wal_replay_resume()');
  }
}

beforeAll(async () => {
  cluster = await startOwnCluster({ shards: 1, replicas: 1 });
  adminUrl = cluster.config.shards[0]?.primary.adminUrl ?? '';
  const options = resolveGatewayOptions({
    ...cluster.config,
    entities: [Invoice, InvoiceLine, Rate, Ledger],
    migrations: [CreateBilling1763800000100, CreateRates1763800000200],
  });
  here = await GatewayRuntime.start(options, { log: SILENT_LOG });
  there = await GatewayRuntime.start(options, { log: SILENT_LOG });
  gateway = here.gateway;
  log = await StatementLog.begin(cluster);
  const { rows } = await newUser();
  const id = rows[0]?.id ?? '';
  for (const runtime of [here, there]) {
    await eventually('the cache answers', async () => {
      return (await sourceOf(() => runtime.gateway.repository(Invoice).findById(id))) === 'cache';
    });
  }
}, 60_000);

afterEach(() => {
  jest.restoreAllMocks();
});

afterAll(async () => {
  await Promise.all([here.close(), there.close()]);
});

describe('a repeated read', () => {
  it('is answered by the cache, with values of the same classes, and with an object of its own', async () => {
    const { userId, rows } = await newUser(2);
    const repository = gateway.repository(Invoice).forUser(userId);
    const reads = [
      () => gateway.repository(Invoice).findById(rows[0]?.id ?? ''),
      () => repository.find({ order: { number: 'DESC' }, take: 10 }),
      () => repository.findOneBy({ number: `${userId}-1` }),
      () => repository.findOneBy({ number: 'none' }),
      () => gateway.list(Invoice, { userId }).page({ limit: 10, order: { number: 'ASC' } }),
      () => gateway.list(Invoice).count({ where: { userId } }),
      () => repository.count({ where: { total: MoreThan(new Decimal(0)) } }),
      () => repository.findAndCount({ where: { reminders: 0 }, take: 1 }),
      () => repository.exists({ where: { number: `${userId}-1` } }),
      () => repository.findOne({ where: { number: `${userId}-0` }, relations: { lines: true } }),
      () =>
        gateway.query(
          `SELECT number, total, reminders > 0 AS reminded, now() - now() AS none, ARRAY[1, 2] AS list,
                  '{"a": [1]}'::jsonb AS json, '\\x0102'::bytea AS bytes, 7::bigint AS big, timestamptz '2026-01-02' AS at
           FROM billing.invoices WHERE user_id = $1`,
          [userId],
          { userId },
          { tables: ['billing.invoices'] },
        ),
    ];
    for (const read of reads) {
      const missed = await traced<unknown>(read);
      const hit = await traced<unknown>(read);
      expect(missed.source).not.toBe('cache');
      expect(hit.source).toBe('cache');
      expect(hit.answer).toStrictEqual(missed.answer);
      if (hit.answer instanceof Invoice) {
        expect(hit.answer.total).toBeInstanceOf(Decimal);
        hit.answer.number = 'changed';
        hit.answer.total.d[0] = 77;
        expect((await traced<unknown>(read)).answer).toStrictEqual(missed.answer);
      }
    }
  });

  it('goes past the cache when asked to, and is younger than asked for', async () => {
    const { rows } = await newUser();
    const read = (options?: Parameters<ShardedRepository<Invoice>['findById']>[1]) => () =>
      gateway.repository(Invoice).findById(rows[0]?.id ?? '', options);
    await traced(read());
    expect(await sourceOf(read())).toBe('cache');
    expect(await sourceOf(read({ cache: false }))).toBe('replica');
    expect(await sourceOf(read({ from: 'primary' }))).toBe('primary');
    expect(await sourceOf(read({ cache: { ttlMs: 0 } }))).toBe('replica');
    expect(await sourceOf(read({ cache: { ttlMs: 60_000 } }))).toBe('cache');
    const past = async (): Promise<unknown> => {
      const trace = GatewayContext.trace();
      if (trace !== undefined) trace.goesPastCache = true;
      return read()();
    };
    expect(await sourceOf(past)).toBe('replica');
    await expect(traced(read({ cache: { ttlMs: -1 } }))).rejects.toThrow('cache');
  });

  it('of an entity that is not to be kept goes past the cache, unless the call says so', async () => {
    const reading = (type: typeof Rate | typeof Ledger, options = {}) => {
      const { userId } = rows;
      return [
        () => gateway.repository(type).forUser(userId).find(options),
        () => gateway.repository(type).forUser(userId).count(options),
        () => gateway.repository(type).findById(rows.ids.get(type) ?? '', options),
      ];
    };
    const rows = await ratesAndLedger();
    for (const read of reading(Ledger)) {
      await traced<unknown>(read);
      expect(await sourceOf(read)).not.toBe('cache');
    }
    for (const read of [...reading(Ledger, { cache: true }), ...reading(Rate)]) {
      await traced<unknown>(read);
      expect(await sourceOf(read)).toBe('cache');
    }
    const { rows: others } = await newUser();
    const readOther = () => gateway.repository(Invoice).findById(others[0]?.id ?? '');
    await traced(readOther);
    // By the real clock: set forward, it would make the bus seem silent, too, and nothing come from the cache.
    for (const read of reading(Rate)) {
      await eventually('the answer is too old', async () => (await sourceOf(read)) !== 'cache');
    }
    expect(await sourceOf(readOther)).toBe('cache');
  });

  it('is asked of a database once more when the shard map has changed', async () => {
    const { rows } = await newUser();
    const read = () => gateway.repository(Invoice).findById(rows[0]?.id ?? '');
    await traced(read);
    expect(await sourceOf(read)).toBe('cache');
    const map = here.shardMapWatcher.current();
    jest.spyOn(here.shardMapWatcher, 'current').mockReturnValue(map.withOverride('somebody', 's0'));
    expect(await sourceOf(read)).toBe('replica');
    expect(await sourceOf(read)).toBe('cache');
  });

  it('of a row that is another user’s, or another tenant’s, finds none', async () => {
    const { userId, rows } = await newUser();
    const id = rows[0]?.id ?? '';
    const of = (user: string) => () => gateway.repository(Invoice).forUser(user).findOneBy({ id });
    await traced(of(userId));
    expect((await traced(of(userId))).source).toBe('cache');
    expect((await traced(of('somebody-else'))).answer).toBeNull();
    const byId = (): Promise<Invoice | null> => gateway.repository(Invoice).findById(id);
    await traced(byId);
    expect((await traced(byId, OTHER_TENANT)).answer).toBeNull();
    expect((await traced(byId)).answer?.id).toBe(id);
  });

  it('whose answer may depend on more than rows is asked of a database each time', async () => {
    const { userId } = await newUser();
    const raw = () => gateway.query('SELECT number FROM billing.invoices', [], { userId });
    const condition = () =>
      gateway
        .repository(Invoice)
        .forUser(userId)
        .count({ where: { number: Raw((column) => `${column} <> now()::text`) } });
    for (const read of [raw, condition]) {
      await traced<unknown>(read);
      expect(await sourceOf(read)).not.toBe('cache');
    }
  });

  it('cannot name a table of whose writes nobody would hear', async () => {
    const { userId } = await newUser();
    const raw = () => gateway.query('SELECT 1', [], { userId }, { tables: ['billing.invoices', 'invoices'] });
    await expect(traced(raw)).rejects.toThrow('invoices is no entity');
  });
});

describe('an answer that is not kept', () => {
  const reads: Record<string, (userId: string, id: string) => Promise<unknown>> = {
    'a row by id': (_, id) => gateway.repository(Invoice).findById(id),
    'a list': (userId) => gateway.repository(Invoice).forUser(userId).find(),
    'a count': (userId) => gateway.repository(Invoice).forUser(userId).count(),
    'raw SQL': (userId) =>
      gateway.query(
        'SELECT number FROM billing.invoices WHERE user_id = $1',
        [userId],
        { userId },
        { tables: ['billing.invoices'] },
      ),
  };

  it.each(Object.keys(reads))('that 1,000 callers ask for at once is one statement: %s', async (name) => {
    const { userId, rows } = await newUser(3);
    // While a process does not hear the others, as for a moment on a busy machine, everybody asks alone.
    const another = (): Promise<unknown> => gateway.repository(Invoice).findById(rows[1]?.id ?? '');
    await eventually('the cache answers', async () => (await sourceOf(another)) === 'cache');
    let answers: unknown[] = [];
    let sources: unknown[] = [];
    const statements = await log.readsDuring('billing.invoices', async () => {
      const ask = () => traced(async () => reads[name]?.(userId, rows[0]?.id ?? ''));
      const traces = await Promise.all(Array.from({ length: 1_000 }, ask));
      answers = traces.map(({ answer }) => answer);
      sources = traces.map(({ source }) => source);
    });
    expect(statements).toBe(1);
    // Those who joined know where it came from, too.
    expect(new Set(sources)).toEqual(new Set(['replica']));
    expect(new Set(answers.map((answer) => JSON.stringify(answer))).size).toBe(1);
    expect(answers[0]).toEqual((await traced(async () => reads[name]?.(userId, rows[0]?.id ?? ''))).answer);
  });

  it('while it is written all the time is given to all who ask, up to date, by few statements', async () => {
    const { userId, rows } = await newUser();
    const id = rows[0]?.id ?? '';
    const invoices = gateway.repository(Invoice).forUser(userId);
    const beganMs = performance.now();
    let acknowledged = 0;
    let answered = 0;
    let longestMs = 0;
    const write = async (): Promise<void> => {
      while (acknowledged < WRITES) {
        await invoices.update({ id }, { reminders: acknowledged + 1 });
        acknowledged += 1;
      }
    };
    const read = async (): Promise<void> => {
      while (acknowledged < WRITES) {
        const [least, startedMs] = [acknowledged, performance.now()];
        // Rows by id would be gathered to few statements in any case.
        const { answer } = await traced(() => invoices.find());
        longestMs = Math.max(longestMs, performance.now() - startedMs);
        answered += 1;
        expect(answer[0]?.reminders).toBeGreaterThanOrEqual(least);
      }
    };
    const statements = await log.readsDuring('billing.invoices', () =>
      Promise.all([traced(write), ...Array.from({ length: 200 }, read)]),
    );
    const run = { answered, statements, longestMs, tookMs: performance.now() - beganMs };
    // Whoever asks waits for one question, or for one that somebody else has asked since the latest write.
    expect({ ...run, isAnyStarved: longestMs > run.tookMs * 0.7 }).toEqual({ ...run, isAnyStarved: false });
    expect(statements).toBeGreaterThan(0);
    expect({ ...run, isStampede: statements > answered / 10 }).toEqual({ ...run, isStampede: false });
  });
});

describe('a write through this process', () => {
  /** Each changes the user's first invoice, or the list of them. */
  const writes: Record<string, (userId: string, id: string) => Promise<unknown>> = {
    save: async (userId, id) => {
      const repository = gateway.repository(Invoice).forUser(userId);
      const row = await repository.findOneByOrFail({ id });
      await repository.save(Object.assign(row, { total: new Decimal(50) }));
    },
    insert: (userId) =>
      gateway
        .repository(Invoice)
        .forUser(userId)
        .insert({ number: 'new', total: new Decimal(1) }),
    upsert: (userId) =>
      gateway
        .repository(Invoice)
        .forUser(userId)
        .upsert({ number: `${userId}-0`, total: new Decimal(9) }, ['userId', 'number']),
    update: (userId, id) => gateway.repository(Invoice).forUser(userId).update({ id }, { reminders: 3 }),
    'update by another column': (userId) =>
      gateway
        .repository(Invoice)
        .forUser(userId)
        .update({ number: `${userId}-0` }, { reminders: 3 }),
    increment: (userId, id) => gateway.repository(Invoice).forUser(userId).increment({ id }, 'reminders', 1),
    delete: (userId, id) => gateway.repository(Invoice).forUser(userId).delete({ id }),
    softDelete: (userId, id) => gateway.repository(Invoice).forUser(userId).softDelete({ id }),
    'a query builder': (userId, id) =>
      gateway
        .repository(Invoice)
        .forUser(userId)
        .createQueryBuilder('i', { from: 'primary' })
        .update()
        .set({ reminders: 4 })
        .where('id = :id', { id })
        .execute(),
    'a transaction': (userId, id) =>
      gateway.transaction({ userId }, async (tx) => {
        await tx.getRepository(Invoice).update({ id }, { reminders: 5 });
      }),
    'a savepoint, the one after it rolled back': (userId, id) =>
      gateway.transaction({ userId }, async (tx) => {
        await tx.manager.transaction(async (nested) => {
          await nested.update(Invoice, { tenantId: TENANT, id }, { reminders: 6 });
        });
        const undone = tx.manager.transaction(async (nested) => {
          await nested.update(Invoice, { tenantId: TENANT, id }, { reminders: 7 });
          throw new Error('undo');
        });
        await undone.catch(() => undefined);
      }),
    'a cascade': async (userId, id) => {
      const line = Object.assign(new InvoiceLine(), { what: 'a line' });
      await gateway
        .repository(Invoice)
        .forUser(userId)
        .save({ id, number: `${userId}-0`, total: new Decimal(2), lines: [line] });
    },
    'raw SQL': (userId, id) =>
      gateway.query('UPDATE billing.invoices SET reminders = 8 WHERE id = $1', [id], { userId }),
    'raw SQL in a transaction': (userId, id) =>
      gateway.transaction({ userId }, (tx) =>
        tx.query('WITH x AS (UPDATE billing.invoices SET reminders = 9 WHERE id = $1) SELECT 1', [id]),
      ),
    'a data source of TypeORM’s': async (_, id) => {
      const [primary] = here.nodes.all();
      await primary?.dataSource.getRepository(Invoice).update({ tenantId: TENANT, id }, { reminders: 10 });
    },
  };

  it.each(Object.keys(writes))('is seen by everybody’s next read: %s', async (name) => {
    const { userId, rows } = await newUser(2);
    const id = rows[0]?.id ?? '';
    const repository = gateway.repository(Invoice).forUser(userId);
    const byId = (options = {}) => gateway.repository(Invoice).findById(id, options);
    const all = async (options = {}) => ({
      rows: await repository.find({ order: { number: 'ASC' }, take: 50, ...options }),
      count: await repository.count({ where: { reminders: 0 }, ...options }),
      withLines: await repository.find({ relations: { lines: true }, order: { number: 'ASC' }, ...options }),
    });
    const [oldRow, oldList] = [(await traced(byId)).answer, (await traced(all)).answer];
    expect([await sourceOf(byId), await sourceOf(all)]).toEqual(['cache', 'cache']);
    await whileReplicaStands(async () => {
      await traced(async () => writes[name]?.(userId, id));
      const truth = await traced(async () => ({
        row: await byId({ from: 'primary' }),
        list: await all({ from: 'primary' }),
      }));
      expect(truth.answer).not.toStrictEqual({ row: oldRow, list: oldList });
      expect((await traced(byId)).answer).toStrictEqual(truth.answer.row);
      expect((await traced(all)).answer).toStrictEqual(truth.answer.list);
      // What came from the primary is kept: the replica, which still has the old state, has not put it back.
      expect((await traced(byId)).answer).toStrictEqual(truth.answer.row);
    });
  });

  it('to one row leaves the answers about others', async () => {
    const { userId, rows } = await newUser(2);
    const [one, other] = rows.map(({ id }) => id);
    const byId =
      (id = '') =>
      () =>
        gateway.repository(Invoice).findById(id);
    await traced(byId(one));
    await traced(byId(other));
    await traced(() =>
      gateway
        .repository(Invoice)
        .forUser(userId)
        .update({ id: one ?? '' }, { reminders: 1 }),
    );
    expect(await sourceOf(byId(other))).toBe('cache');
    expect(await sourceOf(byId(one))).not.toBe('cache');
  });

  it('to one row leaves the answers about others to the cache, also for who brings its token', async () => {
    const { userId, rows } = await newUser(2);
    const [one = '', other = ''] = rows.map(({ id }) => id);
    const byId = (): Promise<Invoice | null> => gateway.repository(Invoice).findById(other);
    await eventually('the first read with a token is answered by the cache', async () => {
      await eventually('it is kept', async () => (await sourceOf(byId)) === 'cache');
      const token = encodeToken([await writtenBy(here, userId, { id: one, reminders: 1 })]);
      return (await reading(here, token, byId)).source === 'cache';
    });
  });

  it('of a table with a trigger changes what the trigger writes', async () => {
    const { userId, rows } = await newUser();
    const id = rows[0]?.id ?? '';
    const count = () => gateway.repository(InvoiceLine).forUser(userId).count();
    expect((await traced(count)).answer).toBe(0);
    await runAsAdmin(
      adminUrl,
      `CREATE FUNCTION billing.note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
         INSERT INTO billing.invoice_lines VALUES (NEW.tenant_id, gen_random_uuid(), NEW.user_id, NEW.bucket, 'by trigger');
         RETURN NULL; END $$;
       CREATE TRIGGER note AFTER UPDATE ON billing.invoices FOR EACH ROW EXECUTE FUNCTION billing.note()`,
    );
    try {
      await here.cache.learnSchema('s0');
      await traced(count);
      expect(await sourceOf(count)).toBe('cache');
      await traced(() => gateway.repository(Invoice).forUser(userId).update({ id }, { reminders: 1 }));
      expect((await traced(count)).answer).toBe(1);
    } finally {
      await runAsAdmin(adminUrl, 'DROP TRIGGER note ON billing.invoices');
    }
  });

  it('that is rolled back changes nothing', async () => {
    const { userId, rows } = await newUser();
    const id = rows[0]?.id ?? '';
    const byId = (): Promise<Invoice | null> => gateway.repository(Invoice).findById(id);
    await traced(byId);
    const undone = traced(() =>
      gateway.transaction({ userId }, async (tx) => {
        await tx.getRepository(Invoice).update({ id }, { reminders: 1 });
        throw new Error('undo');
      }),
    );
    await expect(undone).rejects.toThrow('undo');
    expect(await sourceOf(byId)).toBe('cache');
  });

  it('is not shown by anybody’s cached read while it is uncommitted, and its own transaction reads it', async () => {
    const { userId, rows } = await newUser();
    const id = rows[0]?.id ?? '';
    const byId = (): Promise<Invoice | null> => gateway.repository(Invoice).findById(id);
    await traced(byId);
    await traced(() =>
      gateway.transaction({ userId }, async (tx) => {
        await tx.getRepository(Invoice).update({ id }, { reminders: 1 });
        expect((await tx.getRepository(Invoice).findById(id))?.reminders).toBe(1);
        expect((await byId())?.reminders).toBe(0);
      }),
    );
    expect((await traced(byId)).answer?.reminders).toBe(1);
  });

  it('whose connection breaks during the commit keeps its rows out of the cache until it is over', async () => {
    const { userId, rows } = await newUser();
    const id = rows[0]?.id ?? '';
    const byId = (): Promise<Invoice | null> => gateway.repository(Invoice).findById(id);
    await traced(byId);
    await runAsAdmin(
      adminUrl,
      `CREATE FUNCTION billing.slow() RETURNS trigger LANGUAGE plpgsql AS
         $$ BEGIN IF NEW.reminders = 42 THEN PERFORM pg_sleep(1); END IF; RETURN NULL; END $$;
       CREATE CONSTRAINT TRIGGER slow AFTER UPDATE ON billing.invoices
         DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION billing.slow()`,
    );
    const lost = traced(() => gateway.repository(Invoice).forUser(userId).update({ id }, { reminders: 42 }));
    const refused = expect(lost).rejects.toThrow();
    await eventually('it commits', async () => {
      const { rowCount } = await runAsAdmin(
        adminUrl,
        `SELECT FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND pid <> pg_backend_pid()`,
      );
      return rowCount === 1;
    });
    here.nodes.primary('s0').cut();
    await refused;
    // The server goes on with the commit, and shows it a moment later.
    expect(await sourceOf(byId)).not.toBe('cache');
    await eventually('it is over, and the cache answers with it', async () => {
      const { answer, source } = await traced(byId);
      return source === 'cache' && answer?.reminders === 42;
    });
  });
});

describe('a write through another process', () => {
  it('is heard of', async () => {
    const { userId, rows } = await newUser();
    const id = rows[0]?.id ?? '';
    const byId = (): Promise<Invoice | null> => there.gateway.repository(Invoice).findById(id);
    await traced(byId);
    // A process that has just missed a heartbeat asks a database for a moment.
    await eventually('the cache answers', async () => (await sourceOf(byId)) === 'cache');
    await traced(() => gateway.repository(Invoice).forUser(userId).update({ id }, { reminders: 1 }));
    await eventually('the other process shows it', async () => (await traced(byId)).answer?.reminders === 1);
  });

  it('is shown to who has its token, also before it is heard of', async () => {
    const { userId, rows } = await newUser();
    const id = rows[0]?.id ?? '';
    const byId = (): Promise<Invoice | null> => there.gateway.repository(Invoice).findById(id);
    await traced(byId);
    // What the bus hears is lost from now on.
    const deaf = jest.spyOn(there.cache.cache!, 'beginWrite');
    deaf.mockImplementation((place) => here.cache.cache!.beginWrite(place, []));
    const token = encodeToken([await writtenBy(here, userId, { id, reminders: 1 })]);
    expect((await reading(there, token, byId)).answer?.reminders).toBe(1);
    expect(await reading(there, token, byId)).toMatchObject({ source: 'cache', answer: { reminders: 1 } });
  });

  it('is shown to who has its token joined with one of the process that is asked, later or as far', async () => {
    const { userId, rows } = await newUser(2);
    const [one = '', other = ''] = rows.map(({ id }) => id);
    const byId = (): Promise<Invoice | null> => there.gateway.repository(Invoice).findById(one);
    const deaf = jest.spyOn(there.cache.cache!, 'beginWrite');
    const farther = async (): Promise<{
      foreign: WrittenPosition;
      own: WrittenPosition;
      reminders: number;
    }> => {
      const reminders = (await traced(byId)).answer!.reminders + 1;
      await eventually('it is kept', async () => (await sourceOf(byId)) === 'cache');
      deaf.mockImplementation((place) => here.cache.cache!.beginWrite(place, []));
      const foreign = await writtenBy(here, userId, { id: one, reminders });
      deaf.mockRestore();
      return { foreign, own: await writtenBy(there, userId, { id: other, reminders }), reminders };
    };
    for (const isAsFar of [false, true]) {
      for (const isForeignFirst of [false, true]) {
        const { foreign, own, reminders } = await farther();
        // As far as two commits at the same time can be.
        const tokens = [isAsFar ? { ...own, writer: foreign.writer } : foreign, own].map((position) =>
          encodeToken([position]),
        );
        const header = (isForeignFirst ? tokens : tokens.reverse()).join(',');
        expect((await reading(there, header, byId)).answer?.reminders).toBe(reminders);
      }
    }
  });
});

describe('a token of the process that is asked', () => {
  it('shows the write, and is then answered by the cache, though no replica has it', async () => {
    const { userId, rows } = await newUser();
    const id = rows[0]?.id ?? '';
    const byId = (): Promise<Invoice | null> => gateway.repository(Invoice).findById(id);
    await traced(byId);
    await whileReplicaStands(async () => {
      const token = encodeToken([await writtenBy(here, userId, { id, reminders: 1 })]);
      await eventually('the cache answers', async () => {
        const { answer, source } = await reading(here, token, byId);
        expect(answer?.reminders).toBe(1);
        return source === 'cache';
      });
    });
  });

  it('names nobody where nothing was written: it can only be about what others wrote', async () => {
    const { answer } = await traced(async () => {
      await gateway.transaction({ userId: 'nobody' }, (tx) => tx.getRepository(Invoice).find());
      return GatewayContext.trace()?.written ?? [];
    });
    expect(answer.map(({ shardId, writer }) => ({ shardId, writer }))).toEqual([
      { shardId: 's0', writer: undefined },
    ]);
  });
});

/** Writes through one of the processes. @returns the position that its token would have */
async function writtenBy(
  runtime: GatewayRuntime,
  userId: string,
  { id, reminders }: { id: string; reminders: number },
): Promise<WrittenPosition> {
  const { answer } = await traced(async () => {
    await runtime.gateway.repository(Invoice).forUser(userId).update({ id }, { reminders });
    return GatewayContext.trace()?.written ?? [];
  });
  expect(answer).toHaveLength(1);
  return answer[0]!;
}

/** Reads through one of the processes with tokens, as its HTTP service would. */
function reading<T>(runtime: GatewayRuntime, header: string, read: () => Promise<T>) {
  return traced(() => {
    GatewayContext.trace()?.requirePositions(decodeTokens(header), (position) =>
      runtime.cache.knows(position),
    );
    return read();
  });
}
