import { randomUUID } from 'node:crypto';
import { afterAll } from '@jest/globals';
import { SILENT_LOG } from '../../src/common/log.js';
import { ConnectionPool } from '../../src/sharding/connections/connection-pool.js';
import { migrateShards } from '../../src/sharding/migrations/migrator.js';
import { TenantConnections } from '../../src/sharding/tenant-roles/tenant-connections.js';
import type { TenantConnectionOptions } from '../../src/sharding/tenant-roles/tenant-connection-options.js';
import { TenantCredentials } from '../../src/sharding/tenant-roles/tenant-credentials.js';
import { notesPlan } from './notes-migrations.js';
import { ownDatabases } from './own-databases.js';
import { TestConnection } from './scratch-shards.js';

const POOL = {
  size: 2,
  overflow: 4,
  tenantSize: 2,
  acquireTimeoutMs: 5_000,
  connectTimeoutMs: 5_000,
  recycleMs: 3_600_000,
  idleTimeoutMs: 10_000,
  statementTimeoutMs: 10_000,
  processes: 1,
};
/** Small, so that places run out in tests. */
export const TENANT_OPTIONS: TenantConnectionOptions = { ...POOL, max: 4, idleMs: 10_000 };

/** One migrated shard of its own, with what tenants' logins need. */
export interface TenantFixture {
  readonly shardId: string;
  readonly installationId: string;
  readonly primaryUrl: string;
  readonly adminUrl: string;
  readonly replicaUrl: string;
  readonly admin: TestConnection;
  /** The gateway's own login. */
  readonly own: ConnectionPool;
  readonly credentials: TenantCredentials;
  /** Connections of tenants to the primary, closed when the file is done. */
  connections(options?: Partial<TenantConnectionOptions>, credentials?: TenantCredentials): TenantConnections;
  /** The same to the replica. */
  replicaConnections(credentials?: TenantCredentials): TenantConnections;
}

const closers: (() => Promise<void>)[] = [];

afterAll(async () => {
  await Promise.all(closers.map((close) => close()));
});

/** Makes it on databases of this test file, with the ledger's tables and `notes.notes`. */
export async function tenantFixture(): Promise<TenantFixture> {
  const { shards } = await ownDatabases();
  const { id: shardId, primary, replicas } = shards[0]!;
  const installationId = randomUUID();
  const gatewayRole = new URL(primary.url).username;
  const target = { shardId, adminUrl: primary.adminUrl, gatewayRole };
  const [report] = await migrateShards([target], notesPlan(installationId));
  if (report?.error !== undefined) throw report.error;
  const credentials = new TenantCredentials({ installationId, shardId, primaryUrl: primary.url });
  const replicaUrl = replicas[0]!.url;
  const pool = (id: string, url: string): ConnectionPool => {
    const made = new ConnectionPool(id, url, POOL, SILENT_LOG);
    closers.push(() => made.end());
    return made;
  };
  const own = pool(shardId, primary.url);
  const closed = (connections: TenantConnections): TenantConnections => {
    closers.unshift(() => connections.end());
    return connections;
  };
  return {
    shardId,
    installationId,
    primaryUrl: primary.url,
    adminUrl: primary.adminUrl,
    replicaUrl,
    admin: await TestConnection.open(primary.adminUrl),
    own,
    credentials,
    connections: (options = {}, others = credentials) =>
      closed(
        new TenantConnections(
          { id: shardId, url: primary.url, role: 'primary' },
          others,
          own,
          { ...TENANT_OPTIONS, ...options },
          SILENT_LOG,
        ),
      ),
    replicaConnections: (others = credentials) =>
      closed(
        new TenantConnections(
          { id: `${shardId}.r1`, url: replicaUrl, role: 'replica' },
          others,
          pool(`${shardId}.r1`, replicaUrl),
          TENANT_OPTIONS,
          SILENT_LOG,
        ),
      ),
  };
}
