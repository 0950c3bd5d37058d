import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { CatalogUnavailableError } from '../../src/common/gateway-error.js';
import { SILENT_LOG } from '../../src/common/log.js';
import type { SqlExecutor, SqlRow } from '../../src/common/sql-executor.js';
import { mintApiKey, type MintedApiKey } from '../../src/modules/tenants/api-key.js';
import { TenantDirectory } from '../../src/modules/tenants/tenant-directory.js';

/** A catalog in memory that can be away, and counts how often it was asked. */
class FakeCatalog implements SqlExecutor {
  readonly tenants: SqlRow[] = [];
  readonly keys: SqlRow[] = [];
  loads = 0;
  away = false;
  /** Awaited in each load after its data is taken, so that a test can hold the answer back. */
  gate: Promise<void> = Promise.resolve();

  async query<Row extends SqlRow>(sql: string): Promise<Row[]> {
    const isKeys = sql.includes('shardgate.api_keys');
    if (isKeys) this.loads += 1;
    if (this.away) throw new CatalogUnavailableError();
    const rows = [...(isKeys ? this.keys : this.tenants)];
    await this.gate;
    return rows as Row[];
  }

  add(id: string, change: SqlRow = {}): MintedApiKey {
    this.tenants.push({
      id,
      name: id,
      status: 'active',
      placementShard: null,
      subMinorUnits: false,
      quota: {},
      createdAt: new Date(0),
      updatedAt: new Date(0),
      ...change,
    });
    return this.addKey(id);
  }

  addKey(tenantId: string | null): MintedApiKey {
    const minted = mintApiKey();
    this.keys.push({ id: minted.keyId, tenantId, secretHash: minted.secretHash });
    return minted;
  }
}

function directoryOf(catalog: FakeCatalog, operatorKey?: string) {
  const refreshShardMap = jest.fn(() => Promise.resolve());
  const directory = new TenantDirectory(catalog, { log: SILENT_LOG, operatorKey, refreshShardMap });
  return { directory, refreshShardMap };
}

afterEach(() => {
  jest.useRealTimers();
});

describe('TenantDirectory', () => {
  it('tells tenants and the operator by their keys, from memory', async () => {
    const catalog = new FakeCatalog();
    const acme = catalog.add('acme');
    const operator = catalog.addKey(null);
    const { directory } = directoryOf(catalog);
    await directory.refresh();
    expect(await directory.authenticate(acme.key)).toMatchObject({ kind: 'tenant', tenant: { id: 'acme' } });
    expect(await directory.authenticate(operator.key)).toEqual({ kind: 'operator' });
    expect(catalog.loads).toBe(1);
    expect(directory.tenant('acme')?.placement).toEqual({ mode: 'pooled' });
    expect(directory.list()).toHaveLength(1);
  });

  it('refuses a known id with another secret, and anything malformed, without asking the catalog', async () => {
    const catalog = new FakeCatalog();
    const acme = catalog.add('acme');
    const { directory } = directoryOf(catalog);
    await directory.refresh();
    const forged = mintApiKey(undefined, acme.keyId);
    expect(await directory.authenticate(forged.key)).toBeUndefined();
    expect(await directory.authenticate('sg_nonsense')).toBeUndefined();
    expect(catalog.loads).toBe(1);
  });

  it('knows a key that was made a moment ago', async () => {
    const catalog = new FakeCatalog();
    const { directory } = directoryOf(catalog);
    await directory.refresh();
    const late = catalog.add('late');
    expect(await directory.authenticate(late.key)).toMatchObject({ tenant: { id: 'late' } });
  });

  it('asks the catalog once for many unknown keys at a time', async () => {
    const catalog = new FakeCatalog();
    const { directory } = directoryOf(catalog);
    await directory.refresh();
    const unknown = Array.from({ length: 200 }, () => mintApiKey().key);
    const first = await directory.authenticate(unknown[0]!);
    const answers = await Promise.all(unknown.map((key) => directory.authenticate(key)));
    expect([first, ...answers].every((answer) => answer === undefined)).toBe(true);
    // One at the start, one for the first unknown key, one for all that followed within 250 ms.
    expect(catalog.loads).toBe(3);
  });

  it('forgets a revoked key and sees a suspension with the next refresh', async () => {
    const catalog = new FakeCatalog();
    const acme = catalog.add('acme');
    const other = catalog.add('other');
    const { directory } = directoryOf(catalog);
    await directory.refresh();
    catalog.keys.shift();
    catalog.tenants[1] = { ...catalog.tenants[1], status: 'suspended' };
    await directory.refresh();
    expect(await directory.authenticate(acme.key)).toBeUndefined();
    expect(await directory.authenticate(other.key)).toMatchObject({ tenant: { status: 'suspended' } });
  });

  it('goes on with what it knows while the catalog is away, and says so of a key it does not know', async () => {
    const catalog = new FakeCatalog();
    const acme = catalog.add('acme');
    const { directory } = directoryOf(catalog);
    await directory.refresh();
    catalog.away = true;
    await expect(directory.refresh()).rejects.toThrow(CatalogUnavailableError);
    expect(await directory.authenticate(acme.key)).toMatchObject({ tenant: { id: 'acme' } });
    await expect(directory.authenticate(mintApiKey().key)).rejects.toThrow(CatalogUnavailableError);
    catalog.away = false;
    expect(await directory.authenticate(mintApiKey().key)).toBeUndefined();
  });

  it('starts while the catalog is away, says so of every key, and knows all when it is back', async () => {
    jest.useFakeTimers();
    const catalog = new FakeCatalog();
    const acme = catalog.add('acme');
    catalog.away = true;
    const { directory } = directoryOf(catalog, 'correct horse');
    await directory.start();
    await expect(directory.authenticate(acme.key)).rejects.toThrow(CatalogUnavailableError);
    expect(await directory.authenticate('correct horse')).toEqual({ kind: 'operator' });
    catalog.away = false;
    await jest.advanceTimersByTimeAsync(5_000);
    expect(directory.tenant('acme')).toBeDefined();
    directory.stop();
    expect(jest.getTimerCount()).toBe(0);
  });

  it('does not start with a catalog that is there but cannot be read', async () => {
    const catalog = new FakeCatalog();
    catalog.gate = Promise.reject(new Error('permission denied'));
    const { directory } = directoryOf(catalog);
    await expect(directory.start()).rejects.toThrow('permission denied');
    directory.stop();
  });

  it('brings at least what there was at the call, when a load is under way already', async () => {
    const catalog = new FakeCatalog();
    let open: () => void = () => undefined;
    catalog.gate = new Promise((resolve) => {
      open = resolve;
    });
    const { directory } = directoryOf(catalog);
    const running = directory.refresh();
    catalog.add('acme');
    const following = [directory.refresh(), directory.refresh(), directory.refresh()];
    open();
    await running;
    await Promise.all(following);
    expect(directory.tenant('acme')).toBeDefined();
    expect(catalog.loads).toBe(2);
  });

  it('knows the shard map of a dedicated tenant before it knows the tenant', async () => {
    const catalog = new FakeCatalog();
    const { directory, refreshShardMap } = directoryOf(catalog);
    catalog.add('pooled');
    await directory.refresh();
    expect(refreshShardMap).not.toHaveBeenCalled();

    catalog.add('alone', { placementShard: 's1' });
    refreshShardMap.mockRejectedValueOnce(new CatalogUnavailableError());
    await expect(directory.refresh()).rejects.toThrow(CatalogUnavailableError);
    expect(directory.tenant('alone')).toBeUndefined();

    await directory.refresh();
    expect(directory.tenant('alone')?.placement).toEqual({ mode: 'dedicated', shardId: 's1' });
    await directory.refresh();
    expect(refreshShardMap).toHaveBeenCalledTimes(2);
  });

  it('takes a configured operator key of any form, and no other then', async () => {
    const catalog = new FakeCatalog();
    const stored = catalog.addKey(null);
    const { directory } = directoryOf(catalog, 'correct horse');
    await directory.refresh();
    expect(await directory.authenticate('correct horse')).toEqual({ kind: 'operator' });
    expect(await directory.authenticate('correct horsf')).toBeUndefined();
    expect(await directory.authenticate(stored.key)).toBeUndefined();
  });
});
