import { CatalogUnavailableError, ConfigurationError } from '../../common/gateway-error.js';
import { SILENT_LOG, type Log } from '../../common/log.js';
import type { ShardMap } from './shard-map.js';
import type { ShardMapStore } from './shard-map-store.js';

/** Called with each newer map, after it has become the current one. */
export type ShardMapListener = (map: ShardMap) => void;

/** How the watcher keeps up. */
export interface ShardMapWatcherOptions {
  /** How often the catalog is asked in case a notice was lost, in milliseconds. Default 5,000. */
  readonly pollMs?: number;
  /** Default: silence. */
  readonly log?: Log;
}

/**
 * Holds the newest shard map that this process knows. It never goes back to an older epoch, and keeps what
 * it has while the catalog is away.
 */
export class ShardMapWatcher {
  readonly #store: Pick<ShardMapStore, 'load'>;
  readonly #pollMs: number;
  readonly #log: Log;
  readonly #listeners = new Set<ShardMapListener>();
  #map: ShardMap | undefined;
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> | undefined;
  #waiting: Promise<void> | undefined;

  constructor(
    store: Pick<ShardMapStore, 'load'>,
    { pollMs = 5_000, log = SILENT_LOG }: ShardMapWatcherOptions = {},
  ) {
    this.#store = store;
    this.#pollMs = pollMs;
    this.#log = log;
  }

  /** The newest map known. @throws CatalogUnavailableError before the first was loaded */
  current(): ShardMap {
    if (this.#map === undefined) throw new CatalogUnavailableError();
    return this.#map;
  }

  /**
   * Loads the map and begins to poll. It may be tried again after a failure. The timer does not keep the
   * process alive.
   *
   * @throws CatalogUnavailableError when the catalog cannot be read
   * @throws ConfigurationError when there is no map in it, or a damaged one
   */
  async start(): Promise<void> {
    await this.#loadSafely();
    this.#timer ??= setInterval(() => void this.refresh(), this.#pollMs).unref();
  }

  /**
   * Asks the catalog now; for whoever hears that the map changed. Resolves when a load that began after this
   * call has ended: at most one runs and one waits, whatever the number of callers. Never rejects: a failure
   * keeps the map and goes to the log.
   */
  refresh(): Promise<void> {
    return this.reload().catch(() => undefined);
  }

  /**
   * As {@link refresh}, for whoever must not go on with the map that was known before.
   *
   * @throws CatalogUnavailableError when the catalog cannot be read
   * @throws ConfigurationError when there is no map in it, or a damaged one
   */
  reload(): Promise<void> {
    // A load that is under way may have read before the change that the caller speaks of.
    if (this.#running !== undefined) {
      this.#waiting ??= this.#running.catch(() => undefined).then(() => this.#run());
      return this.#waiting;
    }
    return this.#run();
  }

  /** Has `listener` called with each newer map. @returns a function that ends it */
  onChange(listener: ShardMapListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Ends the polling, and waits for a load that is under way. The map stays readable. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    this.#timer = undefined;
    await (this.#waiting ?? this.#running)?.catch(() => undefined);
  }

  #run(): Promise<void> {
    this.#waiting = undefined;
    const run = this.#loadSafely()
      .catch((error: unknown) => {
        this.#log.warn(
          { err: error, epoch: this.#map?.epoch },
          'shard map not refreshed; the known one stays',
        );
        throw error;
      })
      .finally(() => {
        this.#running = undefined;
      });
    this.#running = run;
    return run;
  }

  /** Whatever the catalog fails with, a caller is told that it is away, or what is wrong with its map. */
  async #loadSafely(): Promise<void> {
    try {
      await this.#load();
    } catch (error) {
      throw error instanceof ConfigurationError ? error : new CatalogUnavailableError(error);
    }
  }

  async #load(): Promise<void> {
    const map = await this.#store.load();
    if (map === undefined) {
      throw new ConfigurationError(
        'The catalog holds no shard map; run `npx shardgate migrate`, or check catalog.url.',
      );
    }
    if (this.#map !== undefined && map.epoch <= this.#map.epoch) return;
    this.#map = map;
    for (const listener of this.#listeners) this.#notify(listener, map);
  }

  #notify(listener: ShardMapListener, map: ShardMap): void {
    try {
      listener(map);
    } catch (error) {
      this.#log.error({ err: error, epoch: map.epoch }, 'a listener of the shard map failed');
    }
  }
}
