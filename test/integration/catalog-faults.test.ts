import { afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { CatalogUnavailableError, ConfigurationError } from '../../src/common/gateway-error.js';
import { SILENT_LOG, type Log } from '../../src/common/log.js';
import { resolveGatewayOptions, type GatewayOptions } from '../../src/gateway/gateway-options.js';
import { GatewayRuntime } from '../../src/gateway/gateway-runtime.js';
import { hashSecret } from '../../src/modules/tenants/api-key.js';
import { TenantStore } from '../../src/modules/tenants/tenant-store.js';
import type { EmbeddedCluster } from '../../src/sharding/cluster/embedded-cluster.js';
import { CatalogDatabase } from '../../src/sharding/connections/catalog-database.js';
import { startOwnCluster } from '../support/cluster.js';
import { eventually } from '../support/eventually.js';
import { runAsAdmin } from '../support/own-databases.js';

let cluster: EmbeddedCluster;
const running: { close(): Promise<void> }[] = [];

function openCatalog(log: Log = SILENT_LOG): CatalogDatabase {
  const { catalog, pool } = resolveGatewayOptions(cluster.config);
  const database = new CatalogDatabase(catalog.url, pool, log);
  running.push(database);
  return database;
}

async function startGateway(options: Partial<GatewayOptions> = {}): Promise<GatewayRuntime> {
  const runtime = await GatewayRuntime.start(resolveGatewayOptions({ ...cluster.config, ...options }), {
    log: SILENT_LOG,
  });
  running.push(runtime);
  return runtime;
}

beforeAll(async () => {
  cluster = await startOwnCluster({ shards: 2, replicas: 0 });
  const migrated = await startGateway();
  running.splice(0);
  await migrated.close();
}, 60_000);

afterEach(async () => {
  await cluster.kill('catalog', 'SIGCONT');
  await Promise.all(running.splice(0).map((open) => open.close()));
});

describe('a catalog that hangs', () => {
  it('fails statements under way and new ones, also those that wait for a connection, and then answers again', async () => {
    const catalog = openCatalog();
    await catalog.query('SELECT 1');
    await cluster.kill('catalog', 'SIGSTOP');
    const outcomes = await Promise.allSettled(Array.from({ length: 12 }, () => catalog.query('SELECT 1')));
    for (const outcome of outcomes) {
      expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'catalog_unavailable' } });
    }
    await expect(catalog.query('SELECT 1')).rejects.toThrow(CatalogUnavailableError);
    await cluster.kill('catalog', 'SIGCONT');
    expect(await catalog.query('SELECT 1 AS one')).toEqual([{ one: 1 }]);
  });

  it('is noticed by whoever listens, who hears of changes again afterwards', async () => {
    const warnings: string[] = [];
    const catalog = openCatalog({ ...SILENT_LOG, warn: (_, message) => warnings.push(message) });
    let changes = 0;
    catalog.onChange('tenants', () => {
      changes += 1;
    });
    await catalog.listen();
    expect(changes).toBe(1);
    await cluster.kill('catalog', 'SIGSTOP');
    await eventually('the silence is told', () => warnings.includes('the catalog does not answer'));
    await cluster.kill('catalog', 'SIGCONT');
    await eventually('it listens again', () => changes >= 2);
    const before = changes;
    await catalog.query(`SELECT pg_notify('shardgate_catalog', 'tenants')`);
    await eventually('the notice arrives', () => changes > before);
  });

  it('keeps nobody from closing', async () => {
    const catalog = openCatalog();
    await catalog.listen();
    await catalog.query('SELECT 1');
    await cluster.kill('catalog', 'SIGSTOP');
    const underWay = expect(catalog.query('SELECT 1')).rejects.toThrow(CatalogUnavailableError);
    // By then it has a connection, which the close waits for.
    await new Promise((resolve) => setImmediate(resolve));
    running.splice(0);
    await catalog.close();
    await underWay;
    await cluster.kill('catalog', 'SIGCONT');
    await expect(catalog.query('SELECT 1')).rejects.toThrow();
  });

  it('does not lose the operator’s first key, when it makes it but its answer does not come', async () => {
    const runtime = await startGateway();
    const store = new TenantStore(runtime.catalog, runtime.shardMaps, runtime.nodes.shardIds);
    await runtime.catalog.query('SELECT 1');
    await cluster.kill('catalog', 'SIGSTOP');
    await expect(store.ensureOperatorKey()).rejects.toThrow(CatalogUnavailableError);
    await cluster.kill('catalog', 'SIGCONT');
    const { adminUrl } = cluster.config.catalog;
    const hashes = `SELECT secret_hash FROM shardgate.api_keys WHERE tenant_id IS NULL`;
    await eventually('the statement runs after all', async () => {
      return (await runAsAdmin(adminUrl, hashes)).rowCount === 1;
    });
    const key = await store.ensureOperatorKey();
    const { rows } = await runAsAdmin(adminUrl, hashes);
    expect(rows).toEqual([{ secret_hash: hashSecret(key?.slice('sg_operator0001_'.length) ?? '') }]);
    expect(await store.ensureOperatorKey()).toBeUndefined();
  });
});

describe('the gateway', () => {
  it('starts without its catalog, says why it serves nothing, and is complete when the catalog is back', async () => {
    await cluster.hold('catalog');
    const runtime = await startGateway();
    expect(runtime.isStarted).toBe(false);
    expect(runtime.notStartedBecause).toContain('cannot be reached');
    expect(() => runtime.router.all({ tenantId: 'acme' })).toThrow(CatalogUnavailableError);
    await expect(runtime.catalog.query('SELECT 1')).rejects.toThrow(CatalogUnavailableError);
    await cluster.release('catalog');
    await runtime.whenStarted;
    expect(runtime.notStartedBecause).toBeUndefined();
    expect(runtime.router.all({ tenantId: 'acme' }).shardIds).toEqual(['s0', 's1']);
    await eventually('both shards are served', () =>
      ['s0', 's1'].every((shardId) => runtime.gate.closedBecause(shardId) === undefined),
    );
  }, 60_000);

  it('refuses to start at once with what only a person can correct', async () => {
    const [s0] = cluster.config.shards;
    const catalog = { url: s0?.primary.url ?? '' };
    await expect(startGateway({ catalog })).rejects.toThrow('The database configured as catalog is s0');
    await expect(startGateway({ catalog })).rejects.toThrow(ConfigurationError);
  });

  it('takes a fault that it finds later for the reason, and starts when it is mended', async () => {
    const { adminUrl } = cluster.config.catalog;
    await runAsAdmin(adminUrl, `UPDATE shardgate.installation SET shard_id = 's9'`);
    await cluster.hold('catalog');
    const runtime = await startGateway();
    await cluster.release('catalog');
    await eventually('it tells the reason', () =>
      runtime.notStartedBecause?.includes('configured as catalog is s9'),
    );
    await expect(runtime.catalog.query('SELECT 1')).rejects.toMatchObject({
      code: 'catalog_unavailable',
      message: expect.stringContaining('configured as catalog is s9'),
    });
    await runAsAdmin(adminUrl, `UPDATE shardgate.installation SET shard_id = 'catalog'`);
    await runtime.whenStarted;
    expect(await runtime.catalog.query('SELECT 1 AS one')).toEqual([{ one: 1 }]);
  }, 60_000);
});
