import { randomBytes } from 'node:crypto';
import { beforeAll, describe, expect, it } from '@jest/globals';
// First: what it stops after the file must be gone before the cluster is.
import { GatewayProcess, OPERATOR_KEY } from '../support/gateway-process.js';
import { startOwnCluster } from '../support/cluster.js';
import { eventually } from '../support/eventually.js';
import { HttpClient, type HttpAnswer, type HttpRequest } from '../support/http-client.js';
import { replicaAdminUrl } from '../support/load/held-replicas.js';
import { runAsAdmin } from '../support/own-databases.js';
import { checkLedgersAfterwards } from '../support/ledgers-afterwards.js';

/** Other than the defaults, and long enough that nothing grows old here. */
const CACHE = { maxBytes: 8 * 1024 * 1024, ttlMs: 600_000, tenantShare: 0.25 };
const ROUTE = '/v1/admin/cache';
const REPLICA = 's0.r1';

interface Account {
  readonly id: string;
  readonly balance: string;
}

interface CacheView {
  readonly enabled: boolean;
  readonly hits: number;
  readonly misses: number;
  readonly joins: number;
  readonly hitRate: number | null;
  readonly entries: number;
  readonly bytes: number;
  readonly maxBytes: number;
  readonly evictions: number;
  readonly invalidations: number;
  readonly refused: number;
  readonly bypasses: { readonly asked: number; readonly uncacheable: number };
}

interface ProblemBody {
  readonly code: string;
  readonly errors?: readonly { readonly path: string }[];
}

let cluster: Awaited<ReturnType<typeof startOwnCluster>>;
let gateway: GatewayProcess;
let operator: HttpClient;

beforeAll(async () => {
  cluster = await startOwnCluster({ shards: 1, replicas: 1 });
  checkLedgersAfterwards(cluster.config);
  gateway = await GatewayProcess.start({ config: { ...cluster.config, cache: CACHE } });
  operator = new HttpClient(gateway.url, OPERATOR_KEY);
  const { client } = await newTenant();
  await hit(client, await newAccount(client));
}, 120_000);

async function newTenant(): Promise<{ id: string; key: string; client: HttpClient }> {
  const id = `t-${randomBytes(5).toString('hex')}`;
  const key = await gateway.createTenant(id);
  return { id, key, client: new HttpClient(gateway.url, key) };
}

/** An account that the replica shows. */
async function newAccount(client: HttpClient): Promise<Account> {
  const body = { accountNumber: `C-${randomBytes(6).toString('hex')}`, currency: 'EUR' };
  const created = await client.post<Account>('/v1/accounts', body, { userId: 'alice' });
  expect(created.status).toBe(201);
  // As far as the process knows, too: who wrote it would be answered by the primary until then.
  await eventually('the replica has the account', async () => {
    const answer = await read(client, created.body, { userId: 'alice', ...withControl('no-cache') });
    return answer.status === 200 && sourceOf(answer) === 'replica';
  });
  return created.body;
}

/** In the name of the tenant's service, which wrote nothing itself. */
function read(client: HttpClient, { id }: Account, request: HttpRequest = {}): Promise<HttpAnswer<Account>> {
  return client.get<Account>(`/v1/accounts/${id}`, request);
}

function withControl(value: string): HttpRequest {
  return { headers: { 'cache-control': value } };
}

function sourceOf({ headers }: HttpAnswer<unknown>): string | null {
  return headers.get('x-shardgate-source');
}

/**
 * Reads until the cache answers: the second time, unless the process has just missed a heartbeat and asks a
 * database for a moment. Every answer must be of this balance.
 *
 * @returns the answer, and how many reads it took
 */
async function hit(
  client: HttpClient,
  account: Account,
  request: HttpRequest = {},
  balance = account.balance,
): Promise<{ answer: HttpAnswer<Account>; reads: number }> {
  const balances: string[] = [];
  const answer = await eventually('the cache answers', async () => {
    const given = await read(client, account, request);
    balances.push(given.body.balance);
    return sourceOf(given) === 'cache' && given;
  });
  expect(new Set(balances)).toEqual(new Set([balance]));
  return { answer, reads: balances.length };
}

async function cacheOf(tenantId: string): Promise<CacheView> {
  const { status, body } = await operator.get<CacheView>(`${ROUTE}?tenantId=${tenantId}`);
  expect(status).toBe(200);
  return body;
}

async function whileReplicaStands<T>(run: () => Promise<T>): Promise<T> {
  const url = replicaAdminUrl(cluster, REPLICA);
  await runAsAdmin(url, 'SELECT pg_wal_replay_pause()');
  try {
    return await run();
  } finally {
    await runAsAdmin(url, 'SELECT pg_wal_replay_resume()');
  }
}

describe('a repeated read', () => {
  it('comes from the cache, as it came from the replica', async () => {
    const { client } = await newTenant();
    const account = await newAccount(client);
    const first = await read(client, account);
    expect(sourceOf(first)).toBe('replica');
    const { answer: second } = await hit(client, account);
    expect(second.text).toBe(first.text);
    for (const header of ['etag', 'x-shardgate-shard']) {
      expect([header, second.headers.get(header)]).toEqual([header, first.headers.get(header)]);
    }
  });

  it.each(['no-cache', 'No-Transform, NO-STORE', 'max-age=0'])(
    'goes past the cache with Cache-Control: %s',
    async (control) => {
      const { id, client } = await newTenant();
      const account = await newAccount(client);
      await hit(client, account);
      const { hits, bypasses } = await cacheOf(id);
      const answer = await read(client, account, withControl(control));
      expect([answer.status, sourceOf(answer)]).toEqual([200, 'replica']);
      expect(await cacheOf(id)).toMatchObject({ hits, bypasses: { asked: bypasses.asked + 1 } });
      await hit(client, account);
    },
  );

  it.each(['max-age=60', 'max-age=x, =, "', 'x="no-cache"', 'no-cache;'])(
    'comes from the cache with Cache-Control: %s',
    async (control) => {
      const { client } = await newTenant();
      const account = await newAccount(client);
      expect((await hit(client, account, withControl(control))).answer.status).toBe(200);
    },
  );

  it('shows a deposit at once, though no replica has it, and is kept as it is then', async () => {
    const { client } = await newTenant();
    const account = await newAccount(client);
    await hit(client, account);
    await whileReplicaStands(async () => {
      const path = `/v1/accounts/${account.id}/deposits`;
      const deposit = await client.post(path, { amount: '12.50' }, { userId: 'alice' });
      expect(deposit.status).toBe(201);
      const first = await read(client, account);
      expect([first.body.balance, sourceOf(first)]).toEqual(['12.5000', 'primary']);
      await hit(client, account, {}, '12.5000');
      // What is read past the cache shows how far the replica is.
      const past = await read(client, account, withControl('no-cache'));
      expect([past.body.balance, sourceOf(past)]).toEqual(['0.0000', 'replica']);
    });
  });

  it('with another tenant’s key is no hit, and finds nothing', async () => {
    const first = await newTenant();
    const second = await newTenant();
    const account = await newAccount(first.client);
    await hit(first.client, account);
    const before = await cacheOf(first.id);
    expect(sourceOf(await read(second.client, account))).not.toBe('cache');
    for (const userId of [undefined, 'alice']) {
      const answer = await read(second.client, account, { userId });
      expect(answer.status).toBe(404);
      expect(answer.text).not.toContain(account.id);
    }
    expect(await cacheOf(first.id)).toEqual(before);
    // That there is nothing was found for the second tenant, and is kept for it.
    expect((await cacheOf(second.id)).entries).toBeGreaterThan(0);
  });
});

describe('GET /v1/admin/cache', () => {
  it('counts the reads of one tenant', async () => {
    const { id, client } = await newTenant();
    const fresh = await cacheOf(id);
    expect(fresh).toEqual({
      enabled: true,
      hits: 0,
      misses: 0,
      joins: 0,
      hitRate: null,
      entries: 0,
      bytes: 0,
      maxBytes: CACHE.maxBytes * CACHE.tenantShare,
      evictions: 0,
      invalidations: 0,
      refused: 0,
      bypasses: { asked: 0, uncacheable: 0 },
    });
    const account = await newAccount(client);
    const before = await cacheOf(id);
    expect(before.invalidations).toBeGreaterThan(0);
    const { reads } = await hit(client, account);
    await read(client, account, withControl('no-cache'));
    const after = await cacheOf(id);
    expect(after).toMatchObject({
      hits: before.hits + 1,
      misses: before.misses + reads - 1,
      entries: before.entries + 1,
      invalidations: before.invalidations,
      bypasses: { asked: before.bypasses.asked + 1 },
    });
    expect(after.bytes).toBeGreaterThan(before.bytes);
    const { hits, joins, misses } = after;
    expect(after.hitRate).toBeCloseTo((hits + joins) / (hits + joins + misses), 10);
  });

  it('counts the reads of all tenants, in as many bytes as the configuration file says', async () => {
    const tenants = [await newTenant(), await newTenant()];
    const { body: before } = await operator.get<CacheView>(ROUTE);
    for (const { client } of tenants) await hit(client, await newAccount(client));
    const { status, body } = await operator.get<CacheView>(ROUTE);
    expect(status).toBe(200);
    expect(body).toMatchObject({ enabled: true, maxBytes: CACHE.maxBytes });
    expect(body.hits).toBeGreaterThanOrEqual(before.hits + 2);
    expect(body.entries).toBeGreaterThanOrEqual(before.entries + 2);
    expect(body.hitRate).toBeGreaterThan(0);
    expect(body.hitRate).toBeLessThan(1);
  });
});

describe('a tenant with a cacheShare of its own', () => {
  it('keeps no more than that, also when it is changed', async () => {
    const id = `t-${randomBytes(5).toString('hex')}`;
    const share = 1 / 1024;
    const client = new HttpClient(
      gateway.url,
      await gateway.createTenant(id, { quota: { cacheShare: share } }),
    );
    const account = await newAccount(client);
    const readMuch = async (): Promise<void> => {
      for (let limit = 1; limit <= 20; limit += 1) {
        await client.get(`/v1/accounts/${account.id}/transactions?limit=${limit}`);
      }
    };
    await readMuch();
    const small = await cacheOf(id);
    expect(small.maxBytes).toBe(CACHE.maxBytes * share);
    expect(small.bytes).toBeLessThanOrEqual(small.maxBytes);
    expect(small.evictions).toBeGreaterThan(0);
    await operator.patch(`/v1/admin/tenants/${id}`, { quota: { cacheShare: 1 } });
    await readMuch();
    const large = await cacheOf(id);
    expect(large).toMatchObject({ maxBytes: CACHE.maxBytes, evictions: small.evictions });
    expect(large.bytes).toBeGreaterThan(small.maxBytes);
    await operator.patch(`/v1/admin/tenants/${id}`, { quota: { cacheShare: share } });
    // It holds from the next answer on that is kept.
    await client.get(`/v1/accounts/${account.id}/transactions?limit=21`);
    expect((await cacheOf(id)).bytes).toBeLessThanOrEqual(small.maxBytes);
  });
});

describe('DELETE /v1/admin/cache', () => {
  const empty = (path: string) => operator.send<{ dropped: number }>('DELETE', path, {});

  it('empties it of one tenant’s answers, and of nobody else’s', async () => {
    const [one, other] = [await newTenant(), await newTenant()];
    const [mine, theirs] = [await newAccount(one.client), await newAccount(other.client)];
    await read(one.client, mine);
    await read(other.client, theirs);
    const [{ entries }, others] = [await cacheOf(one.id), await cacheOf(other.id)];
    expect(entries).toBeGreaterThan(0);
    expect(others.entries).toBeGreaterThan(0);
    const emptied = await empty(`${ROUTE}?tenantId=${one.id}`);
    expect([emptied.status, emptied.body]).toEqual([200, { dropped: entries }]);
    expect(await cacheOf(one.id)).toMatchObject({ entries: 0, bytes: 0 });
    expect(await cacheOf(other.id)).toEqual(others);
    expect(sourceOf(await read(one.client, mine))).toBe('replica');
  });

  it('empties it of everything', async () => {
    const { client } = await newTenant();
    const account = await newAccount(client);
    await read(client, account);
    const { entries } = (await operator.get<CacheView>(ROUTE)).body;
    expect((await empty(ROUTE)).body).toEqual({ dropped: entries });
    expect((await operator.get<CacheView>(ROUTE)).body).toMatchObject({ entries: 0, bytes: 0 });
    expect((await empty(ROUTE)).body).toEqual({ dropped: 0 });
    expect(sourceOf(await read(client, account))).toBe('replica');
  });
});

describe.each(['GET', 'DELETE'])('%s /v1/admin/cache', (method) => {
  it('is the operator’s alone', async () => {
    const { id, key } = await newTenant();
    for (const [path, given, status, code] of [
      [ROUTE, key, 403, 'forbidden'],
      [`${ROUTE}?tenantId=${id}`, key, 403, 'forbidden'],
      [ROUTE, undefined, 401, 'unauthenticated'],
      [ROUTE, 'nonsense', 401, 'unauthenticated'],
    ] as const) {
      const answer = await gateway.request(path, { method, key: given });
      const problem = (await answer.json()) as ProblemBody;
      expect([path, answer.status, problem.code]).toEqual([path, status, code]);
    }
  });

  it('refuses what it does not know', async () => {
    const { id, client } = await newTenant();
    const account = await newAccount(client);
    await read(client, account);
    const { entries } = await cacheOf(id);
    for (const [query, path] of [
      ['tenantId=', 'tenantId'],
      ['tenantId=Not%20a%20slug', 'tenantId'],
      [`tenantId=${'x'.repeat(64)}`, 'tenantId'],
      [`tenantId=${id}&tenantId=${id}`, 'tenantId'],
      [`tenant=${id}`, 'tenant'],
      [`tenantId=${id}&userId=alice`, 'userId'],
    ] as const) {
      const answer = await operator.send<ProblemBody>(method, `${ROUTE}?${query}`, {});
      const { code, errors } = answer.body;
      expect([query, answer.status, code]).toEqual([query, 400, 'validation_failed']);
      expect(errors?.map((fault) => fault.path)).toEqual([path]);
    }
    const unknown = await operator.send<ProblemBody>(method, `${ROUTE}?tenantId=nobody`, {});
    expect([unknown.status, unknown.body.code]).toEqual([404, 'not_found']);
    expect(await cacheOf(id)).toMatchObject({ entries });
  });
});

describe('a process with cache: false', () => {
  it('says so, has nothing to empty, and asks a database for every read', async () => {
    const { id, key, client } = await newTenant();
    const account = await newAccount(client);
    const uncached = await GatewayProcess.start({ config: { ...cluster.config, cache: false } });
    const reader = new HttpClient(uncached.url, key);
    const boss = new HttpClient(uncached.url, OPERATOR_KEY);
    await eventually('it knows the tenant', async () => (await read(reader, account)).status === 200);
    for (let turn = 0; turn < 3; turn += 1) {
      expect(sourceOf(await read(reader, account))).toMatch(/^(replica|primary)$/);
    }
    for (const path of [ROUTE, `${ROUTE}?tenantId=${id}`]) {
      const shown = await boss.get<CacheView>(path);
      expect(shown.status).toBe(200);
      expect(shown.body).toEqual({
        enabled: false,
        hits: 0,
        misses: 0,
        joins: 0,
        hitRate: null,
        entries: 0,
        bytes: 0,
        maxBytes: 0,
        evictions: 0,
        invalidations: 0,
        refused: 0,
        bypasses: { asked: 0, uncacheable: 0 },
      });
      const emptied = await boss.send('DELETE', path, {});
      expect([emptied.status, emptied.body]).toEqual([200, { dropped: 0 }]);
    }
    expect((await boss.get(`${ROUTE}?tenantId=nobody`)).status).toBe(404);
  }, 60_000);
});
