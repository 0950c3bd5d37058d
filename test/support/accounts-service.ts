import { randomBytes } from 'node:crypto';
import type { ClusterConfig } from '../../src/sharding/cluster/cluster-config.js';
import { HttpClient } from './http-client.js';
import { ownDatabases } from './own-databases.js';
import { startGateway } from './zz-try-gateway.js';

/** A tenant of a test, and a client with its key. */
export interface TestTenant {
  readonly id: string;
  readonly client: HttpClient;
}

/** A gateway process of its own, on databases of its own. */
export interface AccountsService {
  readonly config: ClusterConfig;
  readonly operator: HttpClient;
  newTenant(settings?: object): Promise<TestTenant>;
  /** A user of the tenant who lives on this shard. */
  userOn(tenant: TestTenant, shardId: string): Promise<string>;
  stop(): Promise<void>;
}

/** Starts a gateway process on new databases of the shared cluster. */
export async function startAccountsService(): Promise<AccountsService> {
  const config = await ownDatabases();
  const gateway = await startGateway(config);
  const operator = new HttpClient(gateway.url, gateway.operatorKey);
  return {
    config,
    operator,
    stop: () => gateway.stop(),
    newTenant: async (settings = {}) => {
      const id = `t-${randomBytes(5).toString('hex')}`;
      const created = await operator.post<{ apiKey: string }>('/v1/admin/tenants', {
        id,
        name: 'A tenant of a test',
        ...settings,
      });
      if (created.status !== 201) throw new Error(`No tenant: ${created.text}`);
      return { id, client: new HttpClient(gateway.url, created.body.apiKey) };
    },
    userOn: async (tenant, shardId) => {
      for (;;) {
        const userId = `u-${randomBytes(5).toString('hex')}`;
        const query = `tenantId=${tenant.id}&userId=${userId}`;
        const route = await operator.get<{ shardId: string }>(`/v1/admin/route?${query}`);
        if (route.body.shardId === shardId) return userId;
      }
    },
  };
}
