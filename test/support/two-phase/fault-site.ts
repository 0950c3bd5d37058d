import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from '@jest/globals';
import type { ClusterConfig } from '../../../src/sharding/cluster/cluster-config.js';
import { eventually } from '../eventually.js';
import { ownDatabases } from '../own-databases.js';
import { TestConnection } from '../scratch-shards.js';
import type { Purse } from './purse.js';
import { PurseGateway } from './purse-world.js';

const BACKENDS_SQL = `
  FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'shardgate'`;

/** Databases, and a gateway process beside those that faults happen to: it looks, and recovers. */
export class FaultSite {
  readonly config: ClusterConfig;
  /** It recovers, and removes records at once: of a coordinator that is alive there must be none when it does. */
  readonly other: PurseGateway;
  readonly #admins: ReadonlyMap<string, TestConnection>;

  private constructor(
    config: ClusterConfig,
    other: PurseGateway,
    admins: ReadonlyMap<string, TestConnection>,
  ) {
    this.config = config;
    this.other = other;
    this.#admins = admins;
  }

  static async create(): Promise<FaultSite> {
    const config = await ownDatabases();
    const other = await PurseGateway.start(config, { recovery: { recordsKeptMs: 0 } });
    const admins = new Map<string, TestConnection>();
    for (const { id, primary } of config.shards) admins.set(id, await TestConnection.open(primary.adminUrl));
    return new FaultSite(config, other, admins);
  }

  /** Ends every pooled connection to a shard, and waits until it is gone. */
  async cut(shardId: string): Promise<void> {
    const admin = this.#admin(shardId);
    const gone = await admin.query<{ pid: number }>(`SELECT pid, pg_terminate_backend(pid) ${BACKENDS_SQL}`);
    const pids = gone.map(({ pid }) => pid);
    await eventually('the connections are gone', async () => {
      const left = await admin.query(`SELECT ${BACKENDS_SQL} AND pid = ANY ($1)`, [pids]);
      return left.length === 0;
    });
    // The client reads the end of its socket in a turn of its own.
    await sleep(1);
  }

  /** Gids that are prepared on any shard. */
  prepared(): Promise<string[]> {
    return this.#everywhere('SELECT gid AS found FROM pg_prepared_xacts WHERE database = current_database()');
  }

  /** Gids with a commit record. */
  records(): Promise<string[]> {
    return this.#everywhere('SELECT gid AS found FROM shardgate.commit_records');
  }

  /** Has the other process recover until nothing is left to do, and looks that nothing is. */
  async recover(): Promise<void> {
    await eventually('everything is recovered', async () => {
      const { left } = await this.other.runtime.transactions.recovery.recover(0);
      return left.length === 0 && (await this.prepared()).length === 0;
    });
    await eventually('no record is left', async () => {
      await this.other.runtime.transactions.recovery.recover(0);
      return (await this.records()).length === 0;
    });
  }

  /** That the move of one unit was kept on both shards, or on neither. */
  async expectMoved(isKept: boolean, [from, to]: readonly [Purse, Purse]): Promise<void> {
    const moved = isKept ? 1 : 0;
    expect(await this.other.units(from, to)).toEqual([from.units - moved, to.units + moved]);
  }

  async #everywhere(sql: string): Promise<string[]> {
    const found: string[] = [];
    for (const admin of this.#admins.values()) {
      found.push(...(await admin.query<{ found: string }>(sql)).map((row) => row.found));
    }
    return found;
  }

  #admin(shardId: string): TestConnection {
    const admin = this.#admins.get(shardId);
    if (admin === undefined) throw new Error(`There is no shard ${shardId}.`);
    return admin;
  }
}
