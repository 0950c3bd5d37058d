import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Decimal } from 'decimal.js';
import { type DataGateway, GatewayContext, ShardUnavailableError } from '../../src/index.js';
import { resolveGatewayOptions } from '../../src/gateway/gateway-options.js';
import { GatewayRuntime } from '../../src/gateway/gateway-runtime.js';
import type { EmbeddedCluster } from '../../src/sharding/cluster/embedded-cluster.js';
import { CreateBilling1763800000100, Invoice, InvoiceLine } from '../support/billing.js';
import { runAsAdmin } from '../support/own-databases.js';
import { startOwnCluster } from '../support/cluster.js';
import { eventually } from '../support/eventually.js';
import { SILENT_LOG } from '../../src/common/log.js';

const TENANT = 'acme';

let cluster: EmbeddedCluster;
const running: GatewayRuntime[] = [];

async function startGateway(): Promise<GatewayRuntime> {
  const runtime = await GatewayRuntime.start(
    resolveGatewayOptions({
      ...cluster.config,
      pool: { acquireTimeoutMs: 2_000, connectTimeoutMs: 1_000 },
      entities: [Invoice, InvoiceLine],
      migrations: [CreateBilling1763800000100],
    }),
    { log: SILENT_LOG },
  );
  running.push(runtime);
  return runtime;
}

function userOn(gateway: DataGateway, shardId: string): string {
  const users = Array.from({ length: 100 }, (_, index) => `user${index}`);
  return users.find((userId) => gateway.route({ tenantId: TENANT, userId }).shardId === shardId) ?? '';
}

function as<T>(userId: string, fn: () => Promise<T>): Promise<T> {
  return GatewayContext.run({ tenantId: TENANT, userId, actor: 'test' }, fn);
}

async function write({ gateway }: GatewayRuntime, shardId: string): Promise<string> {
  const userId = userOn(gateway, shardId);
  const { id } = await as(userId, () =>
    gateway.repository(Invoice).save({ number: gateway.mintId(userId), total: new Decimal(1) }),
  );
  return id;
}

/** A replica has its primary's roles; only the port differs. */
function replicaAdminUrl(shardId: string): string {
  const shard = cluster.config.shards.find(({ id }) => id === shardId);
  const url = new URL(shard?.primary.adminUrl ?? '');
  url.port = new URL(shard?.replicas[0]?.url ?? '').port;
  return url.href;
}

async function pauseReplay(replicaUrl: string): Promise<void> {
  await runAsAdmin(replicaUrl, 'SELECT pg_wal_replay_pause()');
  await eventually('replay has paused', async () => {
    const { rows } = await runAsAdmin(replicaUrl, 'SELECT pg_get_wal_replay_pause_state() AS state');
    return (rows as { state: string }[])[0]?.state === 'paused';
  });
}

beforeAll(async () => {
  cluster = await startOwnCluster();
}, 60_000);

afterAll(async () => {
  await Promise.all(running.map((runtime) => runtime.close()));
});

describe('a node that is away', () => {
  it('at the first start: the other shard is served, and the missing one is migrated and served when it is back', async () => {
    await cluster.hold('s1');
    await pauseReplay(replicaAdminUrl('s0'));
    const runtime = await startGateway();
    const readsNothing = await as(userOn(runtime.gateway, 's0'), async () => {
      expect(await runtime.gateway.repository(Invoice).count()).toBe(0);
      return GatewayContext.trace()?.source;
    });
    // Its replica does not know the tables yet.
    expect(readsNothing).toBe('primary');
    await runAsAdmin(replicaAdminUrl('s0'), 'SELECT pg_wal_replay_resume()');
    await write(runtime, 's0');
    await expect(write(runtime, 's1')).rejects.toThrow(ShardUnavailableError);
    await cluster.release('s1');
    await eventually('writes to s1 succeed', () => write(runtime, 's1'));
  }, 60_000);

  it('as a replica at the start: its shard reads from the primary, and from the replica when it is back', async () => {
    await cluster.hold('s0.r1');
    const runtime = await startGateway();
    const id = await write(runtime, 's0');
    const source = (): Promise<string | undefined> =>
      as(userOn(runtime.gateway, 's0'), async () => {
        expect(await runtime.gateway.repository(Invoice).findById(id)).not.toBeNull();
        return GatewayContext.trace()?.source;
      });
    expect(await source()).toBe('primary');
    await cluster.release('s0.r1');
    await eventually('the replica answers', async () => (await source()) === 'replica');
  }, 60_000);

  it('as a primary: its replica still reads, its writes are refused as shard_unavailable, the rest goes on', async () => {
    const runtime = await startGateway();
    const id = await write(runtime, 's1');
    const source = (): Promise<string | undefined> =>
      as('somebody', async () => {
        const row = await runtime.gateway.repository(Invoice).findById(id, { cache: false });
        return row === null ? undefined : GatewayContext.trace()?.source;
      });
    await eventually('the replica has the row', async () => (await source()) === 'replica');
    await cluster.hold('s1');
    await expect(write(runtime, 's1')).rejects.toMatchObject({ code: 'shard_unavailable' });
    expect(await source()).toBe('replica');
    await write(runtime, 's0');
    await cluster.release('s1');
    await eventually('writes to s1 succeed', () => write(runtime, 's1'));
  }, 60_000);

  it('as the catalog: shards are served on, and changes of the catalog arrive when it is back', async () => {
    const runtime = await startGateway();
    await cluster.hold('catalog');
    await write(runtime, 's0');
    await cluster.release('catalog');
    const current = runtime.shardMapWatcher.current();
    await eventually('the map is changed', () =>
      runtime.shardMaps.compareAndSet(current.epoch, current.withOverride('moved', 's1')),
    );
    const moved = await eventually('the new map arrives', () =>
      runtime.shardMapWatcher.current().shardOfTenant('moved'),
    );
    expect(moved).toBe('s1');
  }, 60_000);
});

describe('a replica that lags', () => {
  it('does not hide a user’s own write from them, while reads of the tenant’s service do lag', async () => {
    const runtime = await startGateway();
    const id = await write(runtime, 's0');
    const invoices = runtime.gateway.repository(Invoice);
    let source: string | undefined;
    const serviceSees = (): Promise<Invoice | null> =>
      GatewayContext.run({ tenantId: TENANT, actor: 'test' }, async () => {
        const row = await invoices.findById(id, { cache: false });
        source = GatewayContext.trace()?.source;
        return row;
      });
    await eventually(
      'the replica has the row',
      async () => (await serviceSees()) !== null && source === 'replica',
    );
    const replica = replicaAdminUrl('s0');
    await pauseReplay(replica);
    const owner = userOn(runtime.gateway, 's0');
    await as(owner, () => invoices.update(id, { reminders: 7 }));
    expect((await as(owner, () => invoices.findById(id)))?.reminders).toBe(7);
    expect((await serviceSees())?.reminders).toBe(0);
    await runAsAdmin(replica, 'SELECT pg_wal_replay_resume()');
    await eventually('the replica has caught up', async () => (await serviceSees())?.reminders === 7);
  }, 60_000);
});
