import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { CatalogUnavailableError, ConfigurationError } from '../../src/common/gateway-error.js';
import { SILENT_LOG, type Log } from '../../src/common/log.js';
import { ShardMap } from '../../src/sharding/topology/shard-map.js';
import { ShardMapWatcher } from '../../src/sharding/topology/shard-map-watcher.js';

const FIRST = ShardMap.initial(['s0', 's1']);
const SECOND = FIRST.withOverride('big', 's1');
const THIRD = SECOND.withOverride('huge', 's0');

/** A catalog whose content and failures the test sets, and which counts and can hold back its answers. */
class FakeCatalog {
  stored: ShardMap | undefined = FIRST;
  failure: Error | undefined;
  loads = 0;
  gate: Promise<void> | undefined;

  async load(): Promise<ShardMap | undefined> {
    this.loads += 1;
    const seen = this.stored;
    await this.gate;
    if (this.failure !== undefined) throw this.failure;
    return seen;
  }
}

const watchers: ShardMapWatcher[] = [];

function watch(catalog: FakeCatalog, warnings: string[] = []): ShardMapWatcher {
  const log: Log = { ...SILENT_LOG, warn: (_fields, message) => void warnings.push(message) };
  const watcher = new ShardMapWatcher(catalog, { log });
  watchers.push(watcher);
  return watcher;
}

afterEach(async () => {
  jest.useRealTimers();
  await Promise.all(watchers.splice(0).map((watcher) => watcher.stop()));
});

describe('the shard map watcher', () => {
  it('has no map before it was started', () => {
    expect(() => watch(new FakeCatalog()).current()).toThrow(CatalogUnavailableError);
  });

  it('starts with the map of the catalog', async () => {
    const watcher = watch(new FakeCatalog());
    await watcher.start();
    expect(watcher.current()).toBe(FIRST);
  });

  it('does not start without a catalog, or with an empty one, but may be tried again', async () => {
    const catalog = new FakeCatalog();
    catalog.failure = new Error('connection refused');
    await expect(watch(catalog).start()).rejects.toThrow(CatalogUnavailableError);
    catalog.failure = undefined;
    catalog.stored = undefined;
    const watcher = watch(catalog);
    await expect(watcher.start()).rejects.toThrow(ConfigurationError);
    catalog.stored = FIRST;
    await watcher.start();
    expect(watcher.current()).toBe(FIRST);
  });

  it('takes a newer map and tells its listeners, once per map', async () => {
    const catalog = new FakeCatalog();
    const watcher = watch(catalog);
    await watcher.start();
    const heard: number[] = [];
    const forget = watcher.onChange(({ epoch }) => heard.push(epoch));
    catalog.stored = SECOND;
    await watcher.refresh();
    await watcher.refresh();
    expect(watcher.current()).toBe(SECOND);
    forget();
    catalog.stored = THIRD;
    await watcher.refresh();
    expect(heard).toEqual([2]);
  });

  it('never goes back to an older map', async () => {
    const catalog = new FakeCatalog();
    catalog.stored = SECOND;
    const watcher = watch(catalog);
    await watcher.start();
    catalog.stored = FIRST;
    await watcher.refresh();
    expect(watcher.current()).toBe(SECOND);
  });

  it('keeps its map while the catalog is away, and says so to the log', async () => {
    const catalog = new FakeCatalog();
    const warnings: string[] = [];
    const watcher = watch(catalog, warnings);
    await watcher.start();
    catalog.failure = new Error('connection refused');
    await watcher.refresh();
    expect(watcher.current()).toBe(FIRST);
    expect(warnings).toHaveLength(1);
  });

  it('tells whoever must not go on with the old map that there is no newer one to be had', async () => {
    const catalog = new FakeCatalog();
    const watcher = watch(catalog);
    await watcher.start();
    catalog.failure = new Error('connection refused');
    await expect(watcher.reload()).rejects.toThrow(CatalogUnavailableError);
    catalog.failure = undefined;
    catalog.stored = SECOND;
    await watcher.reload();
    expect(watcher.current()).toBe(SECOND);
  });

  it('loads anew for who waits behind a load that fails', async () => {
    const catalog = new FakeCatalog();
    const watcher = watch(catalog);
    await watcher.start();
    catalog.failure = new Error('connection refused');
    const failing = expect(watcher.reload()).rejects.toThrow(CatalogUnavailableError);
    const waiting = watcher.reload();
    await failing;
    catalog.failure = undefined;
    catalog.stored = SECOND;
    await waiting;
    expect(watcher.current()).toBe(SECOND);
  });

  it('polls every five seconds, so that a lost notice costs no more than that', async () => {
    jest.useFakeTimers();
    const catalog = new FakeCatalog();
    const watcher = watch(catalog);
    await watcher.start();
    catalog.stored = SECOND;
    await jest.advanceTimersByTimeAsync(4_999);
    expect(watcher.current()).toBe(FIRST);
    await jest.advanceTimersByTimeAsync(1);
    expect(watcher.current()).toBe(SECOND);
  });

  it('loads again after a load that may have begun too early, and once for many callers', async () => {
    const catalog = new FakeCatalog();
    const watcher = watch(catalog);
    await watcher.start();
    let open: () => void = () => undefined;
    catalog.gate = new Promise((resolve) => {
      open = resolve;
    });
    const early = watcher.refresh();
    catalog.stored = SECOND;
    const late = Array.from({ length: 10 }, () => watcher.refresh());
    open();
    await early;
    await Promise.all(late);
    expect(watcher.current()).toBe(SECOND);
    expect(catalog.loads).toBe(3);
  });

  it('goes on when a listener fails', async () => {
    const catalog = new FakeCatalog();
    const watcher = watch(catalog);
    await watcher.start();
    const heard: number[] = [];
    watcher.onChange(() => {
      throw new Error('a bug');
    });
    watcher.onChange(({ epoch }) => heard.push(epoch));
    catalog.stored = SECOND;
    await watcher.refresh();
    expect(heard).toEqual([2]);
  });

  it('stops: it waits for the load under way, asks no more and keeps its map', async () => {
    jest.useFakeTimers();
    const catalog = new FakeCatalog();
    const watcher = watch(catalog);
    await watcher.start();
    catalog.stored = SECOND;
    void watcher.refresh();
    await watcher.stop();
    expect(watcher.current()).toBe(SECOND);
    expect(jest.getTimerCount()).toBe(0);
  });
});
