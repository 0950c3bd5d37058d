import { randomBytes } from 'node:crypto';
import type { ClusterConfig } from '../../src/sharding/cluster/cluster-config.js';
// First: what it stops after the file must be gone before the databases are dropped.
import { GatewayProcess, OPERATOR_KEY } from './gateway-process.js';
import { HttpClient } from './http-client.js';
import { checkLedgersAfterwards } from './ledgers-afterwards.js';
import { ownDatabases } from './own-databases.js';

/** A tenant of a test, and a client with its key. */
export interface TestTenant {
  readonly id: string;
  readonly client: HttpClient;
  readonly key: string;
}

/** A gateway process of one test file, on databases of its own. It is stopped after the file. */
export class AccountsService {
  readonly config: ClusterConfig;
  readonly operator: HttpClient;
  readonly #gateway: GatewayProcess;

  private constructor(config: ClusterConfig, gateway: GatewayProcess) {
    this.config = config;
    this.operator = new HttpClient(gateway.url, OPERATOR_KEY);
    this.#gateway = gateway;
  }

  /** @param isLedgerChecked false where a test writes money past the gateway */
  static async start({ isLedgerChecked = true } = {}): Promise<AccountsService> {
    const config = await ownDatabases();
    if (isLedgerChecked) checkLedgersAfterwards(config);
    return new AccountsService(config, await GatewayProcess.start({ config, env: { LOG_LEVEL: 'warn' } }));
  }

  /** A new tenant with an id of its own. */
  async newTenant(settings: object = {}): Promise<TestTenant> {
    const id = `t-${randomBytes(5).toString('hex')}`;
    const key = await this.#gateway.createTenant(id, settings);
    return { id, key, client: new HttpClient(this.#gateway.url, key) };
  }

  /** A client of the tenant to a further gateway process on the same databases. */
  async throughAnother({ key }: TestTenant): Promise<HttpClient> {
    const { config } = this;
    const gateway = await GatewayProcess.start({ config, env: { LOG_LEVEL: 'warn' } });
    return new HttpClient(gateway.url, key);
  }

  /** The shard on which a user of the tenant lives. */
  async shardOf(tenant: TestTenant, userId: string): Promise<string> {
    const path = `/v1/admin/route?tenantId=${tenant.id}&userId=${userId}`;
    return (await this.operator.get<{ shardId: string }>(path)).body.shardId;
  }

  /** A new user of the tenant who lives on this shard. */
  async userOn(tenant: TestTenant, shardId: string): Promise<string> {
    for (;;) {
      const userId = `u-${randomBytes(5).toString('hex')}`;
      if ((await this.shardOf(tenant, userId)) === shardId) return userId;
    }
  }
}
