import { beforeAll, describe, expect, it } from '@jest/globals';
import type { EmbeddedCluster } from '../../src/sharding/cluster/embedded-cluster.js';
import { ClusterTemplate } from '../support/cluster-template.js';
import { eventually } from '../support/eventually.js';
import {
  GatewayProcess,
  OPERATOR_KEY,
  runCli,
  type GatewayProcessOptions,
} from '../support/gateway-process.js';
import { HttpClient } from '../support/http-client.js';
import { runAsAdmin } from '../support/own-databases.js';

interface Readiness {
  readonly status: string;
  readonly catalog: { readonly state: string; readonly reason?: string };
  readonly shards: readonly { readonly state: string }[];
}

interface Fault {
  readonly fault: string;
  readonly take: (cluster: EmbeddedCluster, node: string) => Promise<void>;
  readonly giveBack: (cluster: EmbeddedCluster, node: string) => Promise<void>;
}

/** Two ways in which a server is away, and the way back from each. */
const FAULTS: readonly Fault[] = [
  {
    fault: 'is dead',
    take: (cluster, node) => cluster.hold(node),
    giveBack: (cluster, node) => cluster.release(node),
  },
  {
    fault: 'hangs',
    take: (cluster, node) => cluster.kill(node, 'SIGSTOP'),
    giveBack: (cluster, node) => cluster.kill(node, 'SIGCONT'),
  },
];

let template: ClusterTemplate;

beforeAll(async () => {
  template = await ClusterTemplate.make({ shards: 2, replicas: 0 });
}, 60_000);

/** The servers of one test, and the gateways that it starts on them. */
class Site {
  readonly cluster: EmbeddedCluster;
  readonly #gateways: GatewayProcess[] = [];

  constructor(cluster: EmbeddedCluster) {
    this.cluster = cluster;
  }

  async startGateway(options: Omit<GatewayProcessOptions, 'args'> = {}): Promise<GatewayProcess> {
    const gateway = await GatewayProcess.start({ config: this.cluster.config, ...options });
    this.#gateways.push(gateway);
    return gateway;
  }

  async stop(): Promise<void> {
    await Promise.all(this.#gateways.map((gateway) => gateway.stop()));
    await this.cluster.stop();
  }
}

/**
 * A test with a cluster of its own. Most of these tests' time is waiting for servers that do not answer; so that
 * they can wait at the same time, they share nothing.
 */
function onOwnSite<Case extends unknown[]>(
  test: (site: Site, ...given: Case) => Promise<void>,
): (...given: Case) => Promise<void> {
  return async (...given) => {
    const site = new Site(await template.startCopy());
    try {
      await test(site, ...given);
    } finally {
      await site.stop();
    }
  };
}

async function readiness(gateway: GatewayProcess): Promise<Readiness & { code: number }> {
  const answer = await gateway.request('/health/ready');
  return { code: answer.status, ...((await answer.json()) as Readiness) };
}

async function problemOf(answer: Response): Promise<{ status: number; code: string }> {
  const { code } = (await answer.json()) as { code: string };
  return { status: answer.status, code };
}

/** A user of the tenant on each of the two shards, as the operator's route tells it. */
async function usersOnBothShards(operator: HttpClient, tenantId: string): Promise<Map<string, string>> {
  const users = new Map<string, string>();
  for (let n = 0; users.size < 2; n += 1) {
    const path = `/v1/admin/route?tenantId=${tenantId}&userId=u${n}`;
    users.set((await operator.get<{ shardId: string }>(path)).body.shardId, `u${n}`);
  }
  return users;
}

function openAccount(client: HttpClient, userId: string, accountNumber: string) {
  return client.post('/v1/accounts', { accountNumber, currency: 'EUR', openingBalance: '10.00' }, { userId });
}

describe('the service, started', () => {
  it.concurrent.each(FAULTS)(
    'while the catalog $fault, says so, serves when it is back, and shows the operator’s key once',
    onOwnSite(async (site, { take, giveBack }: Fault) => {
      const { cluster } = site;
      await take(cluster, 'catalog');
      const gateway = await site.startGateway({
        until: 'live',
        env: { SHARDGATE_OPERATOR_KEY: undefined },
      });
      expect(gateway.stdout).toContain('its catalog is away');
      expect(gateway.stdout).not.toContain('sg_');

      const { code, status, catalog, shards } = await readiness(gateway);
      expect({ code, status }).toEqual({ code: 503, status: 'unavailable' });
      expect(catalog).toEqual({ state: 'down', reason: expect.stringContaining('cannot be reached') });
      expect(shards).toHaveLength(2);
      const key = `sg_${'a'.repeat(12)}_${'A'.repeat(43)}`;
      for (const path of ['/v1/accounts', '/v1/admin/shards', '/v1/admin/tenants']) {
        const answer = await gateway.request(path, { key });
        expect(answer.headers.get('retry-after')).toBe('1');
        expect(await problemOf(answer)).toEqual({ status: 503, code: 'catalog_unavailable' });
      }

      await giveBack(cluster, 'catalog');
      await eventually('it is ready', async () => (await readiness(gateway)).status === 'ok');
      const [, operatorKey = ''] = await eventually('the key is shown', () => {
        return /Operator {2}(sg_\S+)/.exec(gateway.stdout) ?? undefined;
      });
      expect(gateway.stdout.split('Operator  sg_')).toHaveLength(2);
      const operator = new HttpClient(gateway.url, operatorKey);
      const made = await operator.post<{ apiKey: string }>('/v1/admin/tenants', {
        id: 'acme',
        name: 'Acme',
      });
      expect(made.status).toBe(201);
      const acme = new HttpClient(gateway.url, made.body.apiKey);
      for (const userId of (await usersOnBothShards(operator, 'acme')).values()) {
        expect((await openAccount(acme, userId, `N-${userId}`)).status).toBe(201);
      }
      expect(await gateway.stop()).toBe(0);

      const again = await site.startGateway({ env: { SHARDGATE_OPERATOR_KEY: undefined } });
      expect(again.stdout).toContain('Keys were shown at the first start');
    }),
    90_000,
  );

  it.concurrent(
    'says what is wrong with a catalog that was not migrated, and serves once it is',
    onOwnSite(async (site) => {
      const { cluster } = site;
      const { catalog, shards } = cluster.config;
      // Without its adminUrl a gateway cannot mend the catalog; with it down, it cannot know that it has to.
      const config = { catalog: { url: catalog.url }, shards };
      await cluster.hold('catalog');
      const gateway = await site.startGateway({ config, until: 'live' });
      await cluster.release('catalog');
      const told = await eventually('it tells the reason', async () => {
        const found = await readiness(gateway);
        return found.catalog.reason?.includes('shardgate migrate') === true && found;
      });
      expect(told.code).toBe(503);
      const refused = await gateway.request('/v1/admin/tenants', { key: OPERATOR_KEY });
      expect(((await refused.json()) as { detail: string }).detail).toContain('shardgate migrate');
      expect((await runCli(['migrate'], { config: cluster.config })).code).toBe(0);
      await eventually('it is ready', async () => (await readiness(gateway)).status === 'ok');
      expect((await runAsAdmin(catalog.adminUrl, 'SELECT 1')).rowCount).toBe(1);
    }),
    90_000,
  );
});

describe('the service', () => {
  it.concurrent.each(FAULTS)(
    'goes on without a catalog that $fault later, refuses changes in time, and sees afterwards what it missed',
    onOwnSite(async (site, { take, giveBack }: Fault) => {
      const { cluster } = site;
      const gateway = await site.startGateway();
      const operator = new HttpClient(gateway.url, OPERATOR_KEY);
      const client = new HttpClient(gateway.url, await gateway.createTenant('acme'));
      const other = new HttpClient(gateway.url, await gateway.createTenant('other'));
      const users = [...(await usersOnBothShards(operator, 'acme')).values()];

      await take(cluster, 'catalog');
      const down = await eventually('the catalog is found to be away', async () => {
        const found = await readiness(gateway);
        return found.catalog.state === 'down' && found;
      });
      expect(down).toMatchObject({
        code: 503,
        status: 'unavailable',
        shards: [{ state: 'up' }, { state: 'up' }],
      });
      for (const userId of users) {
        const opened = await openAccount(client, userId, `N-${userId}`);
        expect(opened.status).toBe(201);
        expect((await client.get(`/v1/accounts/${String(opened.body.id)}`, { userId })).status).toBe(200);
      }
      const refusals = await Promise.all([
        gateway.request('/v1/admin/tenants', { key: OPERATOR_KEY, body: { id: 'late', name: 'Late' } }),
        gateway.request('/v1/admin/tenants', { key: OPERATOR_KEY }),
        ...Array.from({ length: 20 }, (_, n) =>
          gateway.request('/v1/admin/tenants/acme', {
            method: 'PATCH',
            key: OPERATOR_KEY,
            body: { name: `A${n}` },
          }),
        ),
      ]);
      const problems = await Promise.all(refusals.map((answer) => problemOf(answer)));
      expect(new Set(problems.map(({ status, code }) => `${status} ${code}`))).toEqual(
        new Set(['503 catalog_unavailable']),
      );

      await giveBack(cluster, 'catalog');
      expect((await runCli(['tenants', 'suspend', 'other'], { config: cluster.config })).code).toBe(0);
      await eventually('it is ready', async () => (await readiness(gateway)).status === 'ok');
      await eventually(
        'the other tenant is refused',
        async () => (await other.get('/v1/accounts')).status === 403,
      );
      expect((await client.get('/v1/accounts')).status).toBe(200);
      expect((await operator.post('/v1/admin/tenants', { id: 'later', name: 'Later' })).status).toBe(201);
      expect(await gateway.stop()).toBe(0);
    }),
    90_000,
  );

  it.concurrent(
    'ends when it is asked to, although the catalog and a shard hang',
    onOwnSite(async (site) => {
      const { cluster } = site;
      const gateway = await site.startGateway();
      await cluster.kill('catalog', 'SIGSTOP');
      await cluster.kill('s0', 'SIGSTOP');
      // Something is under way on the catalog while it ends.
      const refused = gateway.request('/v1/admin/tenants', { key: OPERATOR_KEY }).catch(() => undefined);
      expect(await gateway.stop()).toBe(0);
      await refused;
      await cluster.kill('catalog', 'SIGCONT');
      await cluster.kill('s0', 'SIGCONT');
    }),
    90_000,
  );

  it.concurrent(
    'serves the other shard while one hangs from the start, and both when it is back',
    onOwnSite(async (site) => {
      const { cluster } = site;
      const first = await site.startGateway();
      const client = new HttpClient(first.url, await first.createTenant('acme'));
      expect((await client.get('/v1/accounts')).status).toBe(200);
      const operator = new HttpClient(first.url, OPERATOR_KEY);
      const users = await usersOnBothShards(operator, 'acme');
      const key = await operator.post<{ apiKey: string }>('/v1/admin/tenants/acme/api-keys', undefined);
      await first.stop();

      await cluster.kill('s0', 'SIGSTOP');
      const gateway = await site.startGateway();
      const acme = new HttpClient(gateway.url, key.body.apiKey);
      const listOf = (shardId: string) => acme.get('/v1/accounts', { userId: users.get(shardId) });
      expect((await listOf('s1')).status).toBe(200);
      expect((await listOf('s0')).body).toMatchObject({ code: 'shard_unavailable' });
      await cluster.kill('s0', 'SIGCONT');
      await eventually('both are served', async () => (await listOf('s0')).status === 200);
      expect((await listOf('s1')).status).toBe(200);
    }),
    90_000,
  );
});
