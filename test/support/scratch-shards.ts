import { randomUUID } from 'node:crypto';
import { afterAll } from '@jest/globals';
import pg from 'pg';
import type { SqlExecutor, SqlRow } from '../../src/common/sql-executor.js';
import type { MigrationTarget } from '../../src/sharding/migrations/migration-plan.js';
import { ownDatabases } from './own-databases.js';

/** Empty databases of one test file, as migrations see them. */
export interface ScratchShards {
  readonly installationId: string;
  readonly targets: readonly MigrationTarget[];
  readonly catalog: { readonly url: string; readonly adminUrl: string; readonly gatewayRole: string };
  /** The gateway's own url per shard. */
  readonly urls: ReadonlyMap<string, string>;
}

/** Makes them; they are dropped when the file is done. */
export async function scratchShards(): Promise<ScratchShards> {
  const { catalog, shards } = await ownDatabases();
  return {
    installationId: randomUUID(),
    catalog: { ...catalog, gatewayRole: userOf(catalog.url) },
    targets: shards.map(({ id, primary }) => ({
      shardId: id,
      adminUrl: primary.adminUrl,
      gatewayRole: userOf(primary.url),
    })),
    urls: new Map(shards.map(({ id, primary }) => [id, primary.url])),
  };
}

const open: pg.Client[] = [];

afterAll(async () => {
  await Promise.all(open.map((client) => client.end()));
});

/** One connection, closed when the file is done. */
export class TestConnection implements SqlExecutor {
  readonly #client: pg.Client;

  private constructor(client: pg.Client) {
    this.#client = client;
  }

  static async open(url: string): Promise<TestConnection> {
    const client = new pg.Client({ connectionString: url });
    client.on('error', () => undefined);
    await client.connect();
    open.push(client);
    return new TestConnection(client);
  }

  async query<Row extends SqlRow = SqlRow>(sql: string, params: readonly unknown[] = []): Promise<Row[]> {
    const result = await this.#client.query<Row>(sql, [...params]);
    return result.rows;
  }

  /** Runs `work` in a transaction with this tenant's setting, and rolls it back. */
  async as<T>(tenantId: string, work: () => Promise<T>): Promise<T> {
    await this.query('begin');
    try {
      await this.query(`select set_config('shardgate.tenant_id', $1, true)`, [tenantId]);
      return await work();
    } finally {
      await this.query('rollback');
    }
  }
}

function userOf(url: string): string {
  return decodeURIComponent(new URL(url).username);
}
