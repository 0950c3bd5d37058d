import { randomBytes } from 'node:crypto';
import { afterAll } from '@jest/globals';
import pg from 'pg';
import type { ClusterConfig } from '../../src/sharding/cluster/cluster-config.js';
import { sharedCluster } from './cluster.js';
import { afterLedgerChecks } from './ledgers-afterwards.js';

const made: (() => Promise<unknown>)[] = [];

afterAll(() => afterLedgerChecks(() => Promise.all(made.map((drop) => drop()))));

/**
 * Empty databases of one test file on the shared cluster's servers: an installation of its own, with real
 * replicas, without servers of its own. They are dropped when the file is done.
 */
export async function ownDatabases(): Promise<ClusterConfig> {
  const shared = sharedCluster();
  const name = `test_${randomBytes(6).toString('hex')}`;
  const adminUrls = [shared.catalog.adminUrl, ...shared.shards.map(({ primary }) => primary.adminUrl)];
  await Promise.all(adminUrls.map((url) => runAsAdmin(url, `CREATE DATABASE ${name}`)));
  made.push(() => Promise.all(adminUrls.map((url) => runAsAdmin(url, `DROP DATABASE ${name} WITH (FORCE)`))));
  const on = (url: string): string => {
    const changed = new URL(url);
    changed.pathname = `/${name}`;
    return changed.href;
  };
  return {
    catalog: { url: on(shared.catalog.url), adminUrl: on(shared.catalog.adminUrl) },
    shards: shared.shards.map(({ id, primary, replicas }) => ({
      id,
      primary: {
        url: on(primary.url),
        adminUrl: on(primary.adminUrl),
        replicationUrl: on(primary.replicationUrl),
      },
      replicas: replicas.map((replica) => ({ ...replica, url: on(replica.url) })),
    })),
  };
}

/** Runs one statement with an administrator's login, past the gateway. */
export async function runAsAdmin(url: string, sql: string): Promise<pg.QueryResult> {
  const client = new pg.Client({ connectionString: url });
  // A server that dies meanwhile fails the statement.
  client.on('error', () => undefined);
  await client.connect();
  try {
    return await client.query(sql);
  } finally {
    await client.end();
  }
}
