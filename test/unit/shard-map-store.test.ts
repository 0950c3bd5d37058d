import { describe, expect, it } from '@jest/globals';
import { ConfigurationError } from '../../src/common/gateway-error.js';
import type { SqlExecutor, SqlRow } from '../../src/common/sql-executor.js';
import { ShardMap } from '../../src/sharding/topology/shard-map.js';
import { ShardMapStore } from '../../src/sharding/topology/shard-map-store.js';

/** The one row of the table, with the answers that PostgreSQL gives to the store's three statements. */
class OneRowTable implements SqlExecutor {
  row: { epoch: number; record: unknown } | undefined;

  query<Row extends SqlRow>(sql: string, params: readonly unknown[] = []): Promise<Row[]> {
    return Promise.resolve(this.#answer(sql, params) as Row[]);
  }

  #answer(sql: string, params: readonly unknown[]): SqlRow[] {
    if (sql.startsWith('select')) return this.row === undefined ? [] : [{ record: this.row.record }];
    const isInsert = sql.includes('insert into');
    if (isInsert ? this.row !== undefined : this.row?.epoch !== params[0]) return [];
    const [epoch, record] = isInsert ? params : params.slice(1);
    this.row = { epoch: epoch as number, record: JSON.parse(record as string) };
    return [{ epoch: String(epoch) }];
  }
}

describe('the shard map store', () => {
  it('has no map in a new system', async () => {
    expect(await new ShardMapStore(new OneRowTable()).load()).toBeUndefined();
  });

  it('gives every process the map of the one that was first', async () => {
    const table = new OneRowTable();
    const [first, second] = await Promise.all([
      new ShardMapStore(table).initialise(['s0', 's1']),
      new ShardMapStore(table).initialise(['s1', 's0', 's2']),
    ]);
    expect(first.toRecord()).toEqual(ShardMap.initial(['s0', 's1']).toRecord());
    expect(second.toRecord()).toEqual(first.toRecord());
  });

  it('lets one of two changes of the same map win', async () => {
    const store = new ShardMapStore(new OneRowTable());
    const map = await store.initialise(['s0', 's1']);
    const outcomes = await Promise.all([
      store.compareAndSet(map.epoch, map.withOverride('first', 's0')),
      store.compareAndSet(map.epoch, map.withOverride('second', 's1')),
    ]);
    expect(outcomes).toEqual([true, false]);
    const stored = await store.load();
    expect([stored?.epoch, stored?.shardOfTenant('first'), stored?.shardOfTenant('second')]).toEqual([
      2,
      's0',
      undefined,
    ]);
  });

  it('refuses a change that is not of a later epoch', async () => {
    const store = new ShardMapStore(new OneRowTable());
    const map = await store.initialise(['s0']);
    await expect(store.compareAndSet(map.epoch, map)).rejects.toThrow(ConfigurationError);
  });

  it('refuses to work with a damaged record', async () => {
    const table = new OneRowTable();
    table.row = { epoch: 1, record: { format: 1 } };
    await expect(new ShardMapStore(table).load()).rejects.toThrow(ConfigurationError);
  });
});
