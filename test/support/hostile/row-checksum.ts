import pg from 'pg';
import type { ClusterConfig } from '../../../src/sharding/cluster/cluster-config.js';

const TABLES_SQL = `
  SELECT quote_ident(schema.nspname) || '.' || quote_ident(class.relname) AS name
  FROM pg_class AS class JOIN pg_namespace AS schema ON schema.oid = class.relnamespace
  WHERE class.relkind IN ('r', 'p') AND schema.nspname !~ '^(pg_|information_schema$)'
  ORDER BY 1`;

const checksumSql = (table: string): string => `
  SELECT count(*)::int AS rows, coalesce(md5(string_agg(row, '' ORDER BY row)), '') AS checksum
  FROM (SELECT md5(one::text) AS row FROM ${table} AS one) AS rows`;

/** How many rows a table has, and a checksum of all that is in them. */
export interface TableSum {
  readonly rows: number;
  readonly checksum: string;
}

/** The sums of all tables of the catalog and the shards, by server and table, past the gateway. */
export async function rowChecksums({ catalog, shards }: ClusterConfig): Promise<Record<string, TableSum>> {
  const servers = [
    { id: 'catalog', url: catalog.adminUrl },
    ...shards.map(({ id, primary }) => ({ id, url: primary.adminUrl })),
  ];
  const sums: Record<string, TableSum> = {};
  for (const { id, url } of servers) {
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    try {
      const { rows: tables } = await client.query<{ name: string }>(TABLES_SQL);
      for (const { name } of tables) {
        const { rows } = await client.query<TableSum>(checksumSql(name));
        sums[`${id} ${name}`] = rows[0] ?? { rows: 0, checksum: '' };
      }
    } finally {
      await client.end();
    }
  }
  return sums;
}
