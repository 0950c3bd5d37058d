import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { readExposition, type ExposedMetric } from '../support/exposition.js';
// First: what it stops after the file must be gone before the databases are dropped.
import { GatewayProcess, OPERATOR_KEY } from '../support/gateway-process.js';
import { startOwnCluster } from '../support/cluster.js';
import { eventually } from '../support/eventually.js';
import { HttpClient, type HttpAnswer } from '../support/http-client.js';
import { replicaAdminUrl } from '../support/load/held-replicas.js';
import { ownDatabases, runAsAdmin } from '../support/own-databases.js';
import { checkLedgersAfterwards } from '../support/ledgers-afterwards.js';

/** Long enough that nothing grows old here. */
const CACHE = { maxBytes: 8 * 1024 * 1024, ttlMs: 600_000 };
const DURATION = 'shardgate_http_request_duration_seconds';

interface Account {
  readonly id: string;
  readonly accountNumber: string;
}

/** Counts of `GET /v1/admin/cache`. */
interface CacheView {
  readonly hits: number;
  readonly misses: number;
  readonly joins: number;
  readonly refused: number;
  readonly evictions: number;
  readonly invalidations: number;
  readonly bypasses: Readonly<Record<string, number>>;
  readonly entries: number;
  readonly bytes: number;
  readonly maxBytes: number;
}

type Labels = Readonly<Record<string, string>>;

let gateway: GatewayProcess;
let nodes: readonly { readonly shard: string; readonly node: string; readonly role: string }[];
let shards: readonly string[];

beforeAll(async () => {
  const config = await ownDatabases();
  checkLedgersAfterwards(config);
  gateway = await GatewayProcess.start({ config: { ...config, cache: CACHE } });
  shards = config.shards.map(({ id }) => id);
  nodes = config.shards.flatMap(({ id: shard, replicas }) => [
    { shard, node: shard, role: 'primary' },
    ...replicas.map((_, index) => ({ shard, node: `${shard}.r${index + 1}`, role: 'replica' })),
  ]);
}, 60_000);

/** What the process tells at one moment. */
class Scrape {
  readonly text: string;
  readonly metrics: ReadonlyMap<string, ExposedMetric>;

  private constructor(text: string) {
    this.text = text;
    this.metrics = readExposition(text);
  }

  static async take(from = gateway): Promise<Scrape> {
    const answer = await from.request('/metrics');
    expect(answer.status).toBe(200);
    return new Scrape(await answer.text());
  }

  /** The labels of each line of a metric. */
  labelsOf(name: string): Labels[] {
    return this.#samplesOf(name).map(({ labels }) => labels);
  }

  /** The sum of the lines that have these labels, among others. */
  sum(name: string, labels: Labels = {}): number {
    return this.#samplesOf(name)
      .filter((sample) => Object.entries(labels).every(([label, value]) => sample.labels[label] === value))
      .reduce((sum, { value }) => sum + value, 0);
  }

  #samplesOf(name: string) {
    const family = name.replace(/_(bucket|count|sum)$/, '');
    const metric = this.metrics.get(name) ?? this.metrics.get(family);
    if (metric === undefined) throw new Error(`There is no metric ${name}.`);
    return metric.samples.filter((sample) => sample.name === name);
  }
}

async function newTenant(): Promise<{ id: string; key: string; client: HttpClient }> {
  const id = `t-${randomBytes(5).toString('hex')}`;
  const key = await gateway.createTenant(id);
  return { id, key, client: new HttpClient(gateway.url, key) };
}

async function newAccount(client: HttpClient, userId: string): Promise<Account> {
  const body = { accountNumber: `M-${randomBytes(6).toString('hex')}`, currency: 'EUR' };
  const created = await client.post<Account>('/v1/accounts', body, { userId });
  expect(created.status).toBe(201);
  return created.body;
}

function sourceOf({ headers }: HttpAnswer<unknown>): string | null {
  return headers.get('x-shardgate-source');
}

/** Reads an account until the cache answers, which begins some time after a start. @returns how many reads it took */
async function readUntilHit(client: HttpClient, { id }: Account): Promise<number> {
  let reads = 0;
  await eventually('the cache answers', async () => {
    reads += 1;
    return sourceOf(await client.get(`/v1/accounts/${id}`)) === 'cache';
  });
  return reads;
}

describe('GET /metrics', () => {
  it("is answered without a key, in Prometheus' text format", async () => {
    const answer = await gateway.request('/metrics');
    expect([answer.status, answer.headers.get('content-type'), answer.headers.get('cache-control')]).toEqual([
      200,
      'text/plain; version=0.0.4; charset=utf-8',
      'no-store',
    ]);
    const metrics = readExposition(await answer.text());
    for (const name of ['process_cpu_seconds_total', 'nodejs_heap_size_used_bytes', DURATION]) {
      expect([...metrics.keys()]).toContain(name);
    }
    const own = [...metrics].filter(([name]) => name.startsWith('shardgate_'));
    expect(own.length).toBeGreaterThan(20);
    expect(own.filter(([name, { type }]) => (type === 'counter') !== name.endsWith('_total'))).toEqual([]);
    const units = /ms$|milli|kilo|mega/;
    expect(own.filter(([name, { help }]) => units.test(name) || !/^[A-Z1].*\.$/.test(help))).toEqual([]);
  });

  it('has the metrics that docs/http-api.md lists, and no others', async () => {
    const text = await readFile(new URL('../../docs/http-api.md', import.meta.url), 'utf8');
    const listed = new Set(text.match(/(?<=`)shardgate_\w+(?=`)/g));
    const { metrics } = await Scrape.take();
    expect([...metrics.keys()].filter((name) => name.startsWith('shardgate_')).sort()).toEqual(
      [...listed].sort(),
    );
  });

  it('is answered with any key and query, too, and to HEAD without a body', async () => {
    const { key } = await newTenant();
    for (const init of [{ key }, { key: OPERATOR_KEY }, { key: 'nobody' }]) {
      expect((await gateway.request('/metrics?target=all', init)).status).toBe(200);
    }
    const head = await gateway.request('/metrics', { method: 'HEAD' });
    expect([head.status, await head.text()]).toEqual([200, '']);
  });

  it('tells of the cache what the operator is told', async () => {
    const { client } = await newTenant();
    const account = await newAccount(client, 'alice');
    const before = await Scrape.take();
    await readUntilHit(client, account);
    await client.get(`/v1/accounts/${account.id}`, { headers: { 'cache-control': 'no-cache' } });
    await client.post(`/v1/accounts/${account.id}/deposits`, { amount: '1.00' }, { userId: 'alice' });
    const view = (await new HttpClient(gateway.url, OPERATOR_KEY).get<CacheView>('/v1/admin/cache')).body;
    const after = await Scrape.take();

    const { bypasses } = view;
    const told = {
      hits_total: view.hits,
      misses_total: view.misses,
      joins_total: view.joins,
      refused_fills_total: view.refused,
      evictions_total: view.evictions,
      invalidations_total: view.invalidations,
      entries: view.entries,
      bytes: view.bytes,
      max_bytes: CACHE.maxBytes,
    };
    const cache = (name: string): number => after.sum(`shardgate_cache_${name}`);
    const exposed = Object.keys(told).map((name) => [name, cache(name)] as const);
    expect(Object.fromEntries(exposed)).toEqual(told);
    for (const [reason, count] of Object.entries(bypasses)) {
      expect(after.sum('shardgate_cache_bypasses_total', { reason })).toBe(count);
    }
    for (const name of ['hits_total', 'misses_total', 'bypasses_total', 'invalidations_total']) {
      const metric = `shardgate_cache_${name}`;
      expect([name, after.sum(metric) > before.sum(metric)]).toEqual([name, true]);
    }
    expect(cache('entries')).toBeGreaterThan(0);
    expect(after.labelsOf('shardgate_cache_shard_heard')).toEqual(shards.map((shard) => ({ shard })));
    await eventually('all shards are heard', async () => {
      return (await Scrape.take()).sum('shardgate_cache_shard_heard') === shards.length;
    });
  });

  it('counts reads by the shard and the source that the answers name', async () => {
    const { client } = await newTenant();
    const account = await newAccount(client, 'alice');
    const pastCache = { headers: { 'cache-control': 'no-cache' } };
    await eventually('the replica has the account', async () => {
      return (await client.get(`/v1/accounts/${account.id}`, pastCache)).status === 200;
    });
    const before = await Scrape.take();
    const counts = new Map<string, number>();
    const read = async (control: string): Promise<string | null> => {
      const headers = { 'cache-control': control };
      const answer = await client.get(`/v1/accounts/${account.id}`, { headers });
      const place = `${answer.headers.get('x-shardgate-shard')} ${sourceOf(answer)}`;
      counts.set(place, (counts.get(place) ?? 0) + 1);
      return sourceOf(answer);
    };
    await eventually('the replica answers', async () => (await read('no-cache')) === 'replica');
    await eventually('the cache answers', async () => (await read('max-age=60')) === 'cache');
    await read('no-cache');
    const after = await Scrape.take();
    expect(after.labelsOf('shardgate_reads_total')).toEqual(
      shards.flatMap((shard) => ['cache', 'replica', 'primary'].map((source) => ({ shard, source }))),
    );
    for (const [place, count] of counts) {
      const [shard = '', source = ''] = place.split(' ');
      const labels = { shard, source };
      const counted = (scrape: Scrape): number => scrape.sum('shardgate_reads_total', labels);
      expect([place, counted(after) - counted(before)]).toEqual([place, count]);
    }
    expect([...counts.keys()].map((place) => place.split(' ')[1])).toEqual(
      expect.arrayContaining(['replica', 'cache']),
    );
  });

  it('measures requests by method, pattern of the route, and status class', async () => {
    const { client } = await newTenant();
    const account = await newAccount(client, 'alice');
    const before = await Scrape.take();
    for (const path of [account.id, account.id, 'no-such-account', '%zz']) {
      await gateway.request(`/v1/accounts/${path}`);
      await client.get(`/v1/accounts/${path}`);
    }
    await client.post(`/v1/accounts/${account.id}/deposits`, { amount: '1.00' }, { userId: 'alice' });
    for (const method of ['GET', 'POST', 'PROPFIND']) {
      await gateway.request(`/v1/${randomBytes(5).toString('hex')}`, { method });
    }
    const after = await Scrape.take();
    const more = (labels: Labels): number => {
      const name = `${DURATION}_count`;
      return after.sum(name, labels) - before.sum(name, labels);
    };
    const read = { method: 'GET', route: '/v1/accounts/:id' };
    expect(more({ ...read, status_class: '2xx' })).toBe(2);
    expect(more({ ...read, status_class: '4xx' })).toBeGreaterThanOrEqual(4);
    expect(more({ method: 'POST', route: '/v1/accounts/:id/deposits', status_class: '2xx' })).toBe(1);
    expect(more({ method: 'GET', route: '/metrics', status_class: '2xx' })).toBe(1);
    expect(more({ route: 'unknown', status_class: '4xx' })).toBeGreaterThanOrEqual(3);
    expect(after.sum(`${DURATION}_sum`)).toBeGreaterThan(before.sum(`${DURATION}_sum`));
    const methods = new Set(after.labelsOf(`${DURATION}_count`).map(({ method }) => method));
    expect([...methods].filter((method) => !/^(GET|HEAD|POST|unknown)$/.test(method ?? ''))).toEqual([]);
  });

  it('tells of every node its state, of replicas how far they are behind, and how full the pools are', async () => {
    const scrape = await eventually('all nodes are up', async () => {
      const taken = await Scrape.take();
      return taken.sum('shardgate_node_state', { state: 'up' }) === nodes.length && taken;
    });
    const states = nodes.flatMap((place) =>
      (place.role === 'primary' ? ['up', 'down'] : ['up', 'lagging', 'down']).map((state) => ({
        ...place,
        state,
      })),
    );
    expect(scrape.labelsOf('shardgate_node_state')).toEqual(states);
    expect(scrape.sum('shardgate_node_state')).toBe(nodes.length);
    expect(scrape.sum('shardgate_shard_served')).toBe(shards.length);
    const replicas = nodes.filter(({ role }) => role === 'replica');
    for (const unit of ['bytes', 'seconds']) {
      expect(scrape.labelsOf(`shardgate_replica_lag_${unit}`)).toEqual(
        replicas.map(({ shard, node }) => ({ shard, node })),
      );
    }
    const pool = (name: string, labels: Labels): number => scrape.sum(`shardgate_pool_${name}`, labels);
    const pools: Labels[] = nodes.flatMap(({ shard, node }) =>
      ['shared', 'tenant'].map((login) => ({ shard, node, login })),
    );
    pools.unshift({ node: 'catalog', login: 'shared' });
    for (const name of ['open_connections', 'idle_connections', 'waiting_callers', 'max_connections']) {
      expect([name, scrape.labelsOf(`shardgate_pool_${name}`)]).toEqual([name, pools]);
    }
    for (const labels of pools) {
      const [idle, open, most] = ['idle', 'open', 'max'].map((name) => pool(`${name}_connections`, labels));
      expect([labels, idle! <= open!, open! <= most!, most! > 0]).toEqual([labels, true, true, true]);
    }
    expect(pool('open_connections', { login: 'shared' })).toBeGreaterThan(0);
    expect(pool('waiting_callers', {})).toBe(0);
  });

  it('names no tenant, key, user, account, address or statement', async () => {
    const { id, key, client } = await newTenant();
    const userId = `u-${randomBytes(5).toString('hex')}`;
    const account = await newAccount(client, userId);
    await readUntilHit(client, account);
    await client.get(`/v1/accounts?accountNumber=${account.accountNumber}`);
    await client.get(`/v1/accounts/${account.id}/transactions`, { userId });
    await client.get(`/v1/${id}/${userId}`);
    const { text } = await Scrape.take();
    const secrets = [id, key, userId, account.id, account.accountNumber, OPERATOR_KEY, '127.0.0.1'];
    expect(secrets.filter((secret) => text.includes(secret))).toEqual([]);
    expect(text).not.toMatch(/postgres(ql)?:|\b(SELECT|INSERT|UPDATE|DELETE FROM)\b|finance\./);
  });

  it('is no line of the log at the level info', async () => {
    await gateway.request('/metrics');
    await gateway.request('/v1/admin/shards', { key: OPERATOR_KEY });
    await eventually('the later request is in the log', () => gateway.stderr.includes('/v1/admin/shards'));
    expect(gateway.stderr).not.toContain('/metrics');
  });
});

describe('a replica that is in trouble', () => {
  it('is seen to lag, to be down, and to be back', async () => {
    const cluster = await startOwnCluster({ shards: 1, replicas: 1 });
    // So little that what a stopped replica misses is too much.
    const replication = { maxLagMs: 300 };
    const watched = await GatewayProcess.start({ config: { ...cluster.config, replication } });
    const replica = { shard: 's0', node: 's0.r1' };
    const awaitState = (state: string): Promise<Scrape> =>
      eventually(`the replica is ${state}`, async () => {
        const taken = await Scrape.take(watched);
        return taken.sum('shardgate_node_state', { ...replica, state }) === 1 && taken;
      });
    await awaitState('up');
    await runAsAdmin(replicaAdminUrl(cluster, 's0.r1'), 'SELECT pg_wal_replay_pause()');
    await runAsAdmin(cluster.config.shards[0]!.primary.adminUrl, 'CREATE TABLE public.unseen (id int)');
    const lagging = await awaitState('lagging');
    const seconds = lagging.sum('shardgate_replica_lag_seconds', replica);
    expect(seconds).toBeGreaterThan(0.3);
    expect(seconds).toBeLessThan(20);
    expect(lagging.sum('shardgate_replica_lag_bytes', replica)).toBeGreaterThan(0);
    await cluster.hold('s0.r1');
    const down = await awaitState('down');
    expect(down.sum('shardgate_node_state')).toBe(2);
    expect(down.labelsOf('shardgate_replica_lag_seconds')).toEqual([]);
    await cluster.release('s0.r1');
    const back = await awaitState('up');
    expect(back.labelsOf('shardgate_replica_lag_seconds')).toEqual([replica]);
    expect(await watched.stop()).toBe(0);
  }, 90_000);
});

describe('without a cache', () => {
  it('has no metrics of one, and counts reads all the same', async () => {
    const config = await ownDatabases();
    const uncached = await GatewayProcess.start({ config: { ...config, cache: false } });
    const client = new HttpClient(uncached.url, await uncached.createTenant('acme'));
    const account = await newAccount(client, 'alice');
    await client.get(`/v1/accounts/${account.id}`);
    const metrics = readExposition(await (await uncached.request('/metrics')).text());
    expect([...metrics.keys()].filter((name) => name.startsWith('shardgate_cache'))).toEqual([]);
    const reads = metrics.get('shardgate_reads_total')?.samples ?? [];
    expect(reads.filter(({ value }) => value > 0).map(({ labels }) => labels.source)).not.toContain('cache');
    expect(reads.reduce((sum, { value }) => sum + value, 0)).toBeGreaterThan(0);
  }, 60_000);
});
