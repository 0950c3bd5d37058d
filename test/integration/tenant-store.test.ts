import { beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import type { GatewayError } from '../../src/common/gateway-error.js';
import { SILENT_LOG } from '../../src/common/log.js';
import type { SqlExecutor } from '../../src/common/sql-executor.js';
import { parseApiKey } from '../../src/modules/tenants/api-key.js';
import { TenantDirectory } from '../../src/modules/tenants/tenant-directory.js';
import { TenantStore } from '../../src/modules/tenants/tenant-store.js';
import { migrateCatalog } from '../../src/sharding/migrations/catalog/migrate-catalog.js';
import { ShardMapStore } from '../../src/sharding/topology/shard-map-store.js';
import { eventually } from '../support/eventually.js';
import { scratchShards, TestConnection } from '../support/scratch-shards.js';

const SHARD_IDS = ['s0', 's1'];

let admin: TestConnection;
let gateway: TestConnection;
/** A second process's connection. */
let secondGateway: TestConnection;
let gatewayUrl: string;
let store: TenantStore;
let shardMaps: ShardMapStore;

beforeAll(async () => {
  const { catalog } = await scratchShards();
  await migrateCatalog(catalog);
  gatewayUrl = catalog.url;
  admin = await TestConnection.open(catalog.adminUrl);
  gateway = await TestConnection.open(catalog.url);
  secondGateway = await TestConnection.open(catalog.url);
  shardMaps = new ShardMapStore(gateway);
  store = new TenantStore(gateway, shardMaps, SHARD_IDS);
}, 60_000);

async function directory(catalog: SqlExecutor = gateway): Promise<TenantDirectory> {
  const made = new TenantDirectory(catalog, {
    log: SILENT_LOG,
    refreshShardMap: () => Promise.resolve(),
  });
  await made.refresh();
  return made;
}

function codeOf(error: unknown): string {
  return (error as GatewayError).code;
}

describe('TenantStore', () => {
  it('has no shard for a dedicated tenant before there is a shard map', async () => {
    const early = store.create({
      id: 'early',
      name: 'Early',
      placement: { mode: 'dedicated', shardId: 's1' },
    });
    await expect(early).rejects.toMatchObject({ code: 'configuration_invalid' });
    expect(await store.get('early')).toBeUndefined();
    await shardMaps.initialise(SHARD_IDS);
  });

  it('creates a tenant with what was said of it, and a key that opens the door', async () => {
    const quota = { requestsPerSecond: 50, accounts: 1000 };
    const { tenant, apiKey } = await store.create({ id: 'acme', name: 'Acme', subMinorUnits: true, quota });
    expect(tenant).toMatchObject({
      id: 'acme',
      name: 'Acme',
      status: 'active',
      placement: { mode: 'pooled' },
      subMinorUnits: true,
      quota,
    });
    expect(tenant.createdAt).toBeInstanceOf(Date);
    expect(await store.get('acme')).toEqual(tenant);
    expect(await (await directory()).authenticate(apiKey)).toEqual({ kind: 'tenant', tenant });
  });

  it('keeps no key in clear', async () => {
    const { apiKey } = await store.create({ id: 'secretive', name: 'Secretive' });
    const rows = await admin.query('select api_keys::text as row from shardgate.api_keys');
    expect(JSON.stringify(rows)).not.toContain(apiKey.slice(16));
    expect(JSON.stringify(rows)).toContain(parseApiKey(apiKey)!.secretHash.toString('hex'));
  });

  it('refuses an id that is taken, and leaves no key behind', async () => {
    await store.create({ id: 'taken', name: 'First' });
    const keys = () => admin.query('select id from shardgate.api_keys');
    const before = await keys();
    await expect(store.create({ id: 'taken', name: 'Second' })).rejects.toMatchObject({
      code: 'tenant_exists',
    });
    expect(await keys()).toEqual(before);
    expect((await store.get('taken'))?.name).toBe('First');
  });

  it('lets exactly one of many creations of one id win', async () => {
    const other = new TenantStore(secondGateway, new ShardMapStore(secondGateway), SHARD_IDS);
    const tries = [store, other, store, other].map((each) => each.create({ id: 'wanted', name: 'Wanted' }));
    const results = await Promise.allSettled(tries);
    const lost = results.flatMap((result) => (result.status === 'rejected' ? [codeOf(result.reason)] : []));
    expect(lost).toEqual(['tenant_exists', 'tenant_exists', 'tenant_exists']);
  });

  it('lists tenants in the order of their ids, page by page', async () => {
    await store.create({ id: 'a-1', name: 'A' });
    await store.create({ id: 'a0', name: 'A' });
    const all = await store.list({ limit: 500 });
    const ids = all.map(({ id }) => id);
    expect(ids).toEqual([...ids].sort());
    const paged: string[] = [];
    for (let page = await store.list({ limit: 2 }); page.length > 0;) {
      paged.push(...page.map(({ id }) => id));
      page = await store.list({ afterId: paged.at(-1)!, limit: 2 });
    }
    expect(paged).toEqual(ids);
  });

  it('changes what is given, and leaves the rest', async () => {
    await store.create({ id: 'changing', name: 'Before', quota: { accounts: 5 } });
    const suspended = await store.update('changing', { status: 'suspended' });
    expect(suspended).toMatchObject({ name: 'Before', status: 'suspended', quota: { accounts: 5 } });
    const renamed = await store.update('changing', { name: 'After', quota: {} });
    expect(renamed).toMatchObject({ name: 'After', status: 'suspended', quota: {} });
    await expect(store.update('nobody', { name: 'X' })).rejects.toMatchObject({ code: 'not_found' });
  });

  it('adds keys beside those that are there, and ends each by itself', async () => {
    const { apiKey: first } = await store.create({ id: 'keys', name: 'Keys' });
    await store.create({ id: 'keys2', name: 'Keys' });
    const second = await store.addKey('keys');
    const known = await directory();
    expect(await known.authenticate(first)).toBeDefined();
    expect(await known.authenticate(second.apiKey)).toBeDefined();

    await expect(store.revokeKey('keys2', second.keyId)).rejects.toMatchObject({ code: 'not_found' });
    await store.revokeKey('keys', parseApiKey(first)!.keyId);
    await known.refresh();
    expect(await known.authenticate(first)).toBeUndefined();
    expect(await known.authenticate(second.apiKey)).toBeDefined();

    await store.revokeKey('keys', second.keyId);
    await expect(store.revokeKey('keys', second.keyId)).rejects.toMatchObject({ code: 'not_found' });
    await expect(store.addKey('nobody')).rejects.toMatchObject({ code: 'not_found' });
  });

  it('makes the operator’s key once, whoever starts first', async () => {
    const other = new TenantStore(secondGateway, new ShardMapStore(secondGateway), SHARD_IDS);
    const made = await Promise.all([store.ensureOperatorKey(), other.ensureOperatorKey()]);
    const keys = made.filter((key) => key !== undefined);
    expect(keys).toHaveLength(1);
    expect(await store.ensureOperatorKey()).toBeUndefined();
    expect(await (await directory()).authenticate(keys[0]!)).toEqual({ kind: 'operator' });
  });
});

describe('A dedicated tenant', () => {
  it('gets its shard in the map together with its row', async () => {
    const before = (await shardMaps.load())!;
    const { tenant } = await store.create({
      id: 'alone',
      name: 'Alone',
      placement: { mode: 'dedicated', shardId: 's1' },
    });
    expect(tenant.placement).toEqual({ mode: 'dedicated', shardId: 's1' });
    const after = (await shardMaps.load())!;
    expect(after.shardOfTenant('alone')).toBe('s1');
    expect(after.epoch).toBe(before.epoch + 1);
  });

  it('must have a shard that is configured', async () => {
    const nowhere = store.create({ id: 'x', name: 'X', placement: { mode: 'dedicated', shardId: 's7' } });
    await expect(nowhere).rejects.toMatchObject({
      code: 'validation_failed',
      errors: [{ path: 'placement.shardId', message: 'must be one of s0, s1' }],
    });
  });

  it('never moves a tenant that is there already', async () => {
    await store.create({ id: 'settled', name: 'Settled' });
    const again = store.create({ id: 'settled', name: 'S', placement: { mode: 'dedicated', shardId: 's1' } });
    await expect(again).rejects.toMatchObject({ code: 'tenant_exists' });
    expect((await shardMaps.load())?.shardOfTenant('settled')).toBeUndefined();
    const moved = store.create({ id: 'alone', name: 'S', placement: { mode: 'dedicated', shardId: 's0' } });
    await expect(moved).rejects.toMatchObject({ code: 'tenant_exists' });
    expect((await shardMaps.load())?.shardOfTenant('alone')).toBe('s1');
  });

  it('is not lost when many are placed at once', async () => {
    const other = new TenantStore(secondGateway, new ShardMapStore(secondGateway), SHARD_IDS);
    const ids = Array.from({ length: 8 }, (_, index) => `crowd-${index}`);
    await Promise.all(
      ids.map((id, index) =>
        (index % 2 === 0 ? store : other).create({
          id,
          name: id,
          placement: { mode: 'dedicated', shardId: SHARD_IDS[index % 2]! },
        }),
      ),
    );
    const map = (await shardMaps.load())!;
    expect(ids.map((id) => map.shardOfTenant(id))).toEqual(ids.map((_, index) => SHARD_IDS[index % 2]));
  });
});

describe('The catalog', () => {
  it('tells every process of a change, without saying what changed', async () => {
    const listener = new pg.Client({ connectionString: gatewayUrl });
    await listener.connect();
    const heard: (string | undefined)[] = [];
    listener.on('notification', ({ payload }) => heard.push(payload));
    try {
      await listener.query('listen shardgate_catalog');
      await store.create({ id: 'loud', name: 'Loud', placement: { mode: 'dedicated', shardId: 's0' } });
      await eventually('both notices are there', () => heard.length >= 2);
      expect(new Set(heard)).toEqual(new Set(['tenants', 'shard_map']));
      const { keyId } = await store.addKey('loud');
      await store.revokeKey('loud', keyId);
      await store.update('loud', { status: 'suspended' });
      await eventually(
        'all of them are there',
        () => heard.filter((topic) => topic === 'tenants').length >= 4,
      );
    } finally {
      await listener.end();
    }
  });

  it('lets the gateway delete nothing, and change no schema', async () => {
    for (const sql of [
      'delete from shardgate.tenants',
      'truncate shardgate.api_keys',
      'drop trigger notify_tenants on shardgate.tenants',
      `insert into shardgate.migrations (timestamp, name) values (1, 'x')`,
      `update shardgate.installation set shard_id = 's0'`,
    ]) {
      await expect(gateway.query(sql)).rejects.toMatchObject({ code: '42501' });
    }
  });

  it('holds tenants of a whole shape alone', async () => {
    const insert = (columns: string, values: string) =>
      admin.query(`insert into shardgate.tenants (${columns}) values (${values})`);
    await expect(insert('id, name', `'Upper', 'x'`)).rejects.toMatchObject({ code: '23514' });
    await expect(insert('id, name, placement_mode', `'ok', 'x', 'dedicated'`)).rejects.toMatchObject({
      constraint: 'tenants_placement',
    });
    await expect(insert('id, name, quota', `'ok', 'x', '[]'`)).rejects.toMatchObject({ code: '23514' });
  });
});
