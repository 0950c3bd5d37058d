import { afterAll } from '@jest/globals';
import { SILENT_LOG } from '../../src/common/log.js';
import { resolveGatewayOptions } from '../../src/gateway/gateway-options.js';
import { GatewayRuntime } from '../../src/gateway/gateway-runtime.js';
import { GatewayContext } from '../../src/index.js';
import { ACCOUNT_ENTITIES } from '../../src/modules/accounts/accounts.persistence.js';
import { readInstallation } from '../../src/sharding/migrations/installation.js';
import { SYSTEM_MIGRATIONS } from '../../src/sharding/migrations/system/system-migrations.js';
import { TenantCredentials } from '../../src/sharding/tenant-roles/tenant-credentials.js';
import { Note } from './note.js';
import { notesPlan } from './notes-migrations.js';
import { ownDatabases } from './own-databases.js';
import { TestConnection } from './scratch-shards.js';

/** Half of it is one tenant's: one connection, so that whatever a caller leaves behind meets the next one. */
const TENANT_SIZE = 2;

/** A gateway on databases of its own, as attacks on the rows of one of its shards need it. */
export interface GatewayFixture {
  readonly runtime: GatewayRuntime;
  /** The shard that is attacked. */
  readonly shardId: string;
  readonly primaryUrl: string;
  readonly adminUrl: string;
  /** An administrator's login on the shard's primary. */
  readonly admin: TestConnection;
  readonly credentials: TenantCredentials;
  /** A user of the tenant whose rows are on the shard. */
  userOf(tenantId: string): string;
  /** Runs `fn` in the scope of that user. */
  as<T>(tenantId: string, fn: () => Promise<T>): Promise<T>;
}

let close: (() => Promise<void>) | undefined;

afterAll(async () => {
  await close?.();
});

/** Starts it, with the ledger's tables and `notes.notes`; it is closed when the file is done. */
export async function gatewayFixture(): Promise<GatewayFixture> {
  const config = await ownDatabases();
  const { id: shardId, primary } = config.shards[0]!;
  const migrations = notesPlan('').migrations.slice(SYSTEM_MIGRATIONS.length);
  const runtime = await GatewayRuntime.start(
    resolveGatewayOptions({
      ...config,
      pool: { size: 3, overflow: 2, tenantSize: TENANT_SIZE, statementTimeoutMs: 5_000 },
      entities: [...ACCOUNT_ENTITIES, Note],
      migrations,
    }),
    { log: SILENT_LOG },
  );
  close = () => runtime.close();
  const admin = await TestConnection.open(primary.adminUrl);
  const { installationId } = (await readInstallation(admin))!;
  const userOf = (tenantId: string): string => {
    const users = Array.from({ length: 100 }, (_, index) => `user${index}`);
    return users.find((userId) => runtime.gateway.route({ tenantId, userId }).shardId === shardId)!;
  };
  return {
    runtime,
    shardId,
    primaryUrl: primary.url,
    adminUrl: primary.adminUrl,
    admin,
    credentials: new TenantCredentials({ installationId, shardId, primaryUrl: primary.url }),
    userOf,
    as: (tenantId, fn) => GatewayContext.run({ tenantId, userId: userOf(tenantId), actor: 'attacker' }, fn),
  };
}
