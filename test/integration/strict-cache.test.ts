import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Decimal } from 'decimal.js';
import pg from 'pg';
import { settledWithin } from '../../src/common/settled-within.js';
import { SILENT_LOG } from '../../src/common/log.js';
import type { ReadSource } from '../../src/common/request-trace.js';
import { resolveGatewayOptions } from '../../src/gateway/gateway-options.js';
import { GatewayRuntime } from '../../src/gateway/gateway-runtime.js';
import { GatewayContext } from '../../src/index.js';
import type { EmbeddedCluster } from '../../src/sharding/cluster/embedded-cluster.js';
import { CreateBilling1763800000100, Invoice, InvoiceLine } from '../support/billing.js';
import { startOwnCluster } from '../support/cluster.js';
import { eventually } from '../support/eventually.js';
import { runAsAdmin } from '../support/own-databases.js';

const TENANT = 'acme';
/** Far longer than any test: what is seen before is not seen for its age. */
const TTL_MS = 600_000;
/** "Promptly", with a machine's other work allowed for: milliseconds as a rule. */
const SEEN_MS_MAX = 5_000;

let cluster: EmbeddedCluster;
let adminUrl: string;
/** A program that knows nothing of gateways. */
let foreign: pg.Client;
let strict: GatewayRuntime;
let lax: GatewayRuntime;
let users = 0;

interface Seen {
  readonly answer: string[];
  readonly source: ReadSource | undefined;
}

/** The numbers of a user's invoices, and where they were read. */
async function numbersOf(userId: string, runtime = strict): Promise<Seen> {
  return GatewayContext.run({ tenantId: TENANT, actor: 'test' }, async () => {
    const rows = await runtime.gateway
      .repository(Invoice)
      .forUser(userId)
      .find({ order: { number: 'ASC' } });
    return { answer: rows.map(({ number }) => number), source: GatewayContext.trace()?.source };
  });
}

/** A user of their own with one invoice, whose list both processes keep. */
async function newUser(): Promise<{ userId: string; id: string; bucket: number }> {
  users += 1;
  const userId = `user-${users}`;
  const row = await GatewayContext.run({ tenantId: TENANT, actor: 'test' }, () =>
    strict.gateway
      .repository(Invoice)
      .forUser(userId)
      .save({ number: 'old', total: new Decimal(1) }),
  );
  for (const runtime of [strict, lax]) await untilKept(userId, ['old'], runtime);
  return { userId, id: row.id, bucket: row.bucket };
}

function untilKept(userId: string, numbers: string[], runtime = strict): Promise<unknown> {
  return eventually('it is kept', async () => {
    const { answer, source } = await numbersOf(userId, runtime);
    return source === 'cache' && answer.join() === numbers.join();
  });
}

/** Whatever else is served meanwhile, it must come to this in time. */
function untilSeen(userId: string, numbers: string[]): Promise<unknown> {
  return eventually(
    'it is seen',
    async () => (await numbersOf(userId)).answer.join() === numbers.join(),
    SEEN_MS_MAX,
  );
}

/** Holds replay on the replica while `fn` runs. */
async function whileReplicaStands(fn: () => Promise<void>): Promise<void> {
  const url = new URL(cluster.config.shards[0]?.replicas[0]?.url ?? '');
  const admin = new URL(adminUrl);
  url.username = admin.username;
  url.password = admin.password;
  await runAsAdmin(url.href, 'SELECT pg_wal_replay_pause()');
  try {
    await fn();
  } finally {
    await runAsAdmin(url.href, 'SELECT pg_wal_replay_resume()');
  }
}

/** Runs `fn` while a commit is in the log that nobody is shown yet, because it waits for a standby. */
async function commitThatWaits(sql: string, fn: () => Promise<void>): Promise<void> {
  const canary = new pg.Client({ connectionString: adminUrl });
  await canary.connect();
  let committed: Promise<unknown> | undefined;
  await cluster.setConfig('s0', { synchronous_standby_names: 'nobody' });
  try {
    await eventually('commits wait for a standby', async () => {
      const written = canary.query(`SELECT pg_logical_emit_message(true, 'test', '')`);
      return !(await settledWithin(written, 200));
    });
    committed = foreign.query(sql);
    await fn();
  } finally {
    await cluster.setConfig('s0', { synchronous_standby_names: '' });
    await committed;
    await canary.end();
  }
}

/** What the server has of those that follow its log. */
async function followers(): Promise<{ slot: string; pid: number }[]> {
  const { rows } = await runAsAdmin(
    adminUrl,
    `SELECT slot_name AS slot, active_pid AS pid FROM pg_replication_slots WHERE temporary`,
  );
  return rows as { slot: string; pid: number }[];
}

beforeAll(async () => {
  cluster = await startOwnCluster({ shards: 1, replicas: 1 });
  adminUrl = cluster.config.shards[0]?.primary.adminUrl ?? '';
  const options = {
    ...cluster.config,
    entities: [Invoice, InvoiceLine],
    migrations: [CreateBilling1763800000100],
  };
  strict = await GatewayRuntime.start(
    resolveGatewayOptions({ ...options, cache: { strict: true, ttlMs: TTL_MS } }),
    { log: SILENT_LOG },
  );
  lax = await GatewayRuntime.start(resolveGatewayOptions({ ...options, cache: { ttlMs: TTL_MS } }), {
    log: SILENT_LOG,
  });
  foreign = new pg.Client({ connectionString: adminUrl });
  // The cluster may be stopped first.
  foreign.on('error', () => undefined);
  await foreign.connect();
}, 60_000);

afterAll(async () => {
  await foreign.end();
  await Promise.all([strict.close(), lax.close()]);
});

describe('a write of a program that is no gateway', () => {
  const writes: Record<
    string,
    { sql: (of: { id: string; userId: string; bucket: number }) => string; seen: string[] }
  > = {
    INSERT: {
      sql: ({ userId, bucket }) =>
        `INSERT INTO billing.invoices (tenant_id, id, user_id, bucket, number, total)
           VALUES ('${TENANT}', gen_random_uuid(), '${userId}', ${bucket}, 'new', 1)`,
      seen: ['new', 'old'],
    },
    UPDATE: {
      sql: ({ id }) => `UPDATE billing.invoices SET number = 'new' WHERE id = '${id}'`,
      seen: ['new'],
    },
    DELETE: { sql: ({ id }) => `DELETE FROM billing.invoices WHERE id = '${id}'`, seen: [] },
    TRUNCATE: { sql: () => 'TRUNCATE billing.invoices CASCADE', seen: [] },
  };
  it.each(Object.entries(writes))(
    'is seen at once in strict mode, else not: %s',
    async (_, { sql, seen }) => {
      const user = await newUser();
      await foreign.query(sql(user));
      await untilSeen(user.userId, seen);
      expect(await numbersOf(user.userId, lax)).toEqual({ answer: ['old'], source: 'cache' });
    },
  );

  it('is not forgotten for a replica that is behind', async () => {
    const user = await newUser();
    await whileReplicaStands(async () => {
      await foreign.query(`UPDATE billing.invoices SET number = 'new' WHERE id = '${user.id}'`);
      await untilSeen(user.userId, ['new']);
      await untilKept(user.userId, ['new']);
    });
  });

  it('that is rolled back changes nothing', async () => {
    const [one, other] = [await newUser(), await newUser()];
    // Both processes' own writes have been told by then, too.
    await untilKept(one.userId, ['old']);
    const changes = (): number => strict.cache.cache?.report().invalidations ?? 0;
    const before = changes();
    await foreign.query(
      `BEGIN; UPDATE billing.invoices SET number = 'undone' WHERE id = '${one.id}'; ROLLBACK`,
    );
    await foreign.query(`UPDATE billing.invoices SET number = 'new' WHERE id = '${other.id}'`);
    await untilSeen(other.userId, ['new']);
    expect(changes()).toBe(before + 1);
    expect((await numbersOf(one.userId)).answer).toEqual(['old']);
  });

  it('of very many rows is seen', async () => {
    const { userId, bucket } = await newUser();
    await foreign.query(
      `INSERT INTO billing.invoices (tenant_id, id, user_id, bucket, number, total)
       SELECT '${TENANT}', gen_random_uuid(), 'bulk', ${bucket}, 'bulk' || n, n FROM generate_series(1, 50000) n;
       INSERT INTO billing.invoices (tenant_id, id, user_id, bucket, number, total)
       VALUES ('${TENANT}', gen_random_uuid(), '${userId}', ${bucket}, 'new', 1)`,
    );
    await untilSeen(userId, ['new', 'old']);
    await untilKept(userId, ['new', 'old']);
  });

  it('that the log tells before the primary shows it is neither served nor kept as it was before', async () => {
    const { userId, id } = await newUser();
    await whileReplicaStands(async () => {
      await commitThatWaits(`UPDATE billing.invoices SET number = 'new' WHERE id = '${id}'`, async () => {
        await eventually('the log has told of it', async () => (await numbersOf(userId)).source !== 'cache');
        for (let read = 0; read < 20; read += 1) {
          const { answer, source } = await numbersOf(userId);
          expect({ answer, isKept: source === 'cache' }).toEqual({ answer: ['old'], isKept: false });
        }
      });
      await untilSeen(userId, ['new']);
    });
    await untilKept(userId, ['new']);
  });
});

describe('a stream', () => {
  it('that is cut serves nothing until it is back, and nothing stale then', async () => {
    const { userId, id } = await newUser();
    // Nobody asks for this one meanwhile: it is still kept as it was.
    const quiet = await newUser();
    for (const runtime of [strict, lax]) await untilKept(userId, ['old'], runtime);
    await foreign.query('ALTER ROLE shardgate_replication NOREPLICATION');
    try {
      await foreign.query(
        'SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE temporary',
      );
      await eventually('nothing is served', async () => (await numbersOf(userId)).source !== 'cache');
      await foreign.query(`UPDATE billing.invoices SET number = 'new' WHERE id IN ('${id}', '${quiet.id}')`);
      expect(await numbersOf(userId, lax)).toEqual({ answer: ['old'], source: 'cache' });
    } finally {
      await foreign.query('ALTER ROLE shardgate_replication REPLICATION');
    }
    const served = await eventually('it is served again', async () => {
      const seen = await numbersOf(userId);
      return seen.source === 'cache' && seen;
    });
    expect(served.answer).toEqual(['new']);
    expect((await numbersOf(quiet.userId)).answer).toEqual(['new']);
  });

  it('that stands still is not believed, however open its connection', async () => {
    const { userId, id } = await newUser();
    const [follower] = await followers();
    process.kill(follower!.pid, 'SIGSTOP');
    try {
      await foreign.query(`UPDATE billing.invoices SET number = 'new' WHERE id = '${id}'`);
      await eventually('nothing is served', async () => (await numbersOf(userId)).source !== 'cache');
    } finally {
      process.kill(follower!.pid, 'SIGCONT');
    }
    await untilKept(userId, ['new']);
    expect(await followers()).toEqual([follower]);
  });

  it('takes its slot with it', async () => {
    expect(await followers()).toHaveLength(1);
    await strict.close();
    await eventually('it is gone', async () => (await followers()).length === 0);
  });
});
