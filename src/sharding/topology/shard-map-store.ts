import { CatalogUnavailableError, ConfigurationError } from '../../common/gateway-error.js';
import type { SqlExecutor } from '../../common/sql-executor.js';
import { ShardMap } from './shard-map.js';

/** The table that keeps the shard map, for the catalog's migrations. It holds one row at most. */
export const SHARD_MAP_TABLE_SQL = `
create table shardgate.shard_map (
  singleton boolean primary key default true check (singleton),
  epoch bigint not null check (epoch >= 1),
  record jsonb not null check ((record ->> 'epoch')::bigint = epoch),
  changed_at timestamptz not null default now()
)`;

const LOAD_SQL = `select record from shardgate.shard_map`;

// The notice goes out with the change's own commit, so that nobody reads the old map because of it.
const INSERT_SQL = `
with inserted as (
  insert into shardgate.shard_map (epoch, record) values ($1, $2::jsonb)
  on conflict (singleton) do nothing
  returning epoch
)
select epoch, pg_notify('shardgate_catalog', 'shard_map') from inserted`;

const COMPARE_AND_SET_SQL = `
with changed as (
  update shardgate.shard_map
  set epoch = $2, record = $3::jsonb, changed_at = now()
  where epoch = $1
  returning epoch
)
select epoch, pg_notify('shardgate_catalog', 'shard_map') from changed`;

/**
 * Keeps the shard map in the catalog database, where all processes agree on it. Every change notifies
 * `shard_map` on the channel `shardgate_catalog`. Database errors pass through as they are.
 */
export class ShardMapStore {
  readonly #catalog: SqlExecutor;

  constructor(catalog: SqlExecutor) {
    this.#catalog = catalog;
  }

  /**
   * The map as it is now; undefined in a new system.
   *
   * @throws ConfigurationError when it cannot be read
   */
  async load(): Promise<ShardMap | undefined> {
    const [row] = await this.#catalog.query<{ record: unknown }>(LOAD_SQL);
    return row === undefined ? undefined : ShardMap.fromRecord(row.record);
  }

  /**
   * Makes the first map when there is none, and gives back the one that holds. Of processes that do it at
   * once one wins, and all get its map. Not for use inside a transaction above READ COMMITTED, which would
   * not see the winner's row.
   */
  async initialise(shardIds: readonly string[]): Promise<ShardMap> {
    const first = ShardMap.initial(shardIds);
    await this.#catalog.query(INSERT_SQL, [first.epoch, JSON.stringify(first.toRecord())]);
    const stored = await this.load();
    if (stored === undefined) throw new CatalogUnavailableError();
    return stored;
  }

  /**
   * Replaces the map if its epoch is still the expected one.
   *
   * @returns whether it did; if not, load the map and decide anew
   * @throws ConfigurationError when `next` is not of a later epoch
   */
  async compareAndSet(expectedEpoch: number, next: ShardMap): Promise<boolean> {
    if (next.epoch <= expectedEpoch) {
      throw new ConfigurationError('A changed shard map needs a later epoch; derive it from the stored map.');
    }
    const record = JSON.stringify(next.toRecord());
    const changed = await this.#catalog.query(COMPARE_AND_SET_SQL, [expectedEpoch, next.epoch, record]);
    return changed.length === 1;
  }
}
