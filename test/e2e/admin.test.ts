import { beforeAll, describe, expect, it } from '@jest/globals';
import { eventually } from '../support/eventually.js';
import { GatewayProcess, OPERATOR_KEY } from '../support/gateway-process.js';
import { ownDatabases } from '../support/own-databases.js';

interface Tenant {
  id: string;
  name: string;
  status: string;
  placement: { mode: string; shardId?: string };
  quota: object;
  subMinorUnits: boolean;
  usage?: { shardId: string; accounts: number }[];
}

const TENANTS = '/v1/admin/tenants';
let gateway: GatewayProcess;

beforeAll(async () => {
  gateway = await GatewayProcess.start({ config: await ownDatabases() });
}, 60_000);

interface Answer<Body> {
  status: number;
  body: Body;
}

async function admin<Body = unknown>(
  path: string,
  init: { method?: string; body?: unknown } = {},
): Promise<Answer<Body>> {
  const answer = await gateway.request(path, { ...init, key: OPERATOR_KEY });
  const text = await answer.text();
  return { status: answer.status, body: (text === '' ? undefined : JSON.parse(text)) as Body };
}

describe('administration of tenants', () => {
  it('creates a tenant whose key works at once, and shows the key this once', async () => {
    const body = { id: 'acme', name: 'Acme Ltd', subMinorUnits: true, quota: { accounts: 3 } };
    const created = await admin<Tenant & { apiKey: string }>(TENANTS, { body });
    expect(created.status).toBe(201);
    const { apiKey, ...tenant } = created.body;
    expect(tenant).toMatchObject({ ...body, status: 'active', placement: { mode: 'pooled' } });
    expect((await gateway.request('/v1/accounts', { key: apiKey })).status).toBe(200);
    const shown = await admin<Tenant>(`${TENANTS}/acme`);
    expect(shown.status).toBe(200);
    expect(shown.body).toMatchObject(tenant);
    expect(JSON.stringify(shown.body)).not.toContain(apiKey);
  });

  it('refuses a second tenant of one id, and does not know those that are not', async () => {
    await gateway.createTenant('taken');
    const again = await admin<{ code: string }>(TENANTS, { body: { id: 'taken', name: 'Again' } });
    expect([again.status, again.body.code]).toEqual([409, 'tenant_exists']);
    for (const path of [`${TENANTS}/nobody`, '/v1/admin/route?tenantId=nobody&userId=alice']) {
      const missing = await admin<{ code: string }>(path);
      expect([missing.status, missing.body.code]).toEqual([404, 'not_found']);
    }
  });

  it('shows the usage of each shard', async () => {
    const key = await gateway.createTenant('used');
    for (const user of ['ann', 'bob', 'cid']) {
      const body = { accountNumber: `N-${user}`, currency: 'EUR', openingBalance: '1.00' };
      const headers = { 'x-user-id': user };
      expect((await gateway.request('/v1/accounts', { key, body, headers })).status).toBe(201);
    }
    const counted = async (): Promise<number> => {
      const { body } = await admin<Tenant>(`${TENANTS}/used`);
      expect(body.usage?.map(({ shardId }) => shardId)).toEqual(['s0', 's1']);
      return body.usage?.reduce((sum, { accounts }) => sum + accounts, 0) ?? 0;
    };
    // A replica answers, which may lag; settlement accounts never count.
    expect(await eventually('all three are counted', async () => (await counted()) >= 3 && counted())).toBe(
      3,
    );
  });

  it('places a dedicated tenant with all its users on its shard', async () => {
    const placement = { mode: 'dedicated', shardId: 's1' };
    const key = await gateway.createTenant('big', { placement });
    expect(key).toMatch(/^sg_/);
    for (const user of ['u1', 'u2', 'u3', 'u4', 'u5', 'u6']) {
      const { body } = await admin<{ shardId: string }>(`/v1/admin/route?tenantId=big&userId=${user}`);
      expect(body.shardId).toBe('s1');
    }
    expect((await admin<Tenant>(`${TENANTS}/big`)).body).toMatchObject({
      placement,
      usage: [{ shardId: 's1', accounts: 0 }],
    });
  });

  it('changes name, quota and status, and nothing else', async () => {
    await gateway.createTenant('changing');
    const patch = (body: object): Promise<Answer<Tenant>> =>
      admin<Tenant>(`${TENANTS}/changing`, { method: 'PATCH', body });
    const changed = await patch({ name: 'New', quota: { requestsPerSecond: 5 } });
    expect([changed.status, changed.body]).toMatchObject([
      200,
      { name: 'New', status: 'active', quota: { requestsPerSecond: 5 } },
    ]);
    expect((await patch({})).status).toBe(400);
    expect((await patch({ placement: { mode: 'pooled' } })).status).toBe(400);
    expect((await patch({ id: 'other' })).status).toBe(400);
  });

  it('adds keys that work beside the first, and ends the one that is deleted', async () => {
    const first = await gateway.createTenant('keys');
    const added = await admin<{ keyId: string; apiKey: string }>(`${TENANTS}/keys/api-keys`, {
      method: 'POST',
    });
    expect(added.status).toBe(201);
    const { keyId, apiKey } = added.body;
    const statusOf = async (key: string): Promise<number> =>
      (await gateway.request('/v1/accounts', { key })).status;
    expect([await statusOf(first), await statusOf(apiKey)]).toEqual([200, 200]);
    expect((await admin(`${TENANTS}/keys/api-keys/${keyId}`, { method: 'DELETE' })).status).toBe(204);
    expect([await statusOf(first), await statusOf(apiKey)]).toEqual([200, 401]);
    expect((await admin(`${TENANTS}/keys/api-keys/${keyId}`, { method: 'DELETE' })).status).toBe(404);
  });

  it('lists every tenant once, page by page, in the order of their ids', async () => {
    for (const id of ['page-1', 'page-2', 'page-3', 'page-4', 'page-5']) await gateway.createTenant(id);
    const seen: string[] = [];
    let cursor = '';
    do {
      const { body } = await admin<{ items: Tenant[]; nextCursor: string | null }>(
        `${TENANTS}?limit=2${cursor}`,
      );
      expect(body.items.length).toBeLessThanOrEqual(2);
      seen.push(...body.items.map(({ id }) => id));
      cursor = body.nextCursor === null ? '' : `&cursor=${body.nextCursor}`;
    } while (cursor !== '');
    const { body } = await admin<{ items: Tenant[] }>(`${TENANTS}?limit=500`);
    expect(seen).toEqual(body.items.map(({ id }) => id));
    expect(seen).toEqual([...new Set(seen)].sort());
    expect(seen).toEqual(expect.arrayContaining(['page-1', 'page-2', 'page-3', 'page-4', 'page-5']));
  });
});

describe('administration of shards', () => {
  it('lists the shards with their nodes, and every bucket once', async () => {
    interface Shard {
      id: string;
      primary: { state: string };
      replicas: { id: string; state: string; lagBytes: number; lagMs: number }[];
      buckets: number;
    }
    const { status, body } = await admin<{ items: Shard[]; nextCursor: null }>('/v1/admin/shards');
    expect(status).toBe(200);
    expect(body.nextCursor).toBeNull();
    expect(body.items.map(({ id }) => id)).toEqual(['s0', 's1']);
    expect(body.items.reduce((sum, { buckets }) => sum + buckets, 0)).toBe(4096);
    for (const { id, primary, replicas } of body.items) {
      expect(primary.state).toBe('up');
      expect(replicas).toEqual([
        { id: `${id}.r1`, state: 'up', lagBytes: expect.any(Number), lagMs: expect.any(Number) },
      ]);
    }
  });

  it('tells where a user lives, the same each time', async () => {
    await gateway.createTenant('routed');
    const path = '/v1/admin/route?tenantId=routed&userId=alice';
    const { body } = await admin<{ bucket: number; shardId: string }>(path);
    expect(body.bucket).toBeGreaterThanOrEqual(0);
    expect(body.bucket).toBeLessThan(4096);
    expect(['s0', 's1']).toContain(body.shardId);
    expect((await admin(path)).body).toEqual(body);
    expect((await admin('/v1/admin/route?tenantId=routed')).status).toBe(400);
  });
});
