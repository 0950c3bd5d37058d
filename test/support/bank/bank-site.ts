import type { EmbeddedCluster } from '../../../src/sharding/cluster/embedded-cluster.js';
// First: what it stops after the file must be gone before the cluster is.
import { GatewayProcess } from '../gateway-process.js';
import { startOwnCluster } from '../cluster.js';
import { HttpClient, type HttpAnswer, type HttpRequest } from '../http-client.js';

const TENANT_ID = 'bank';

/** An account of the bank. */
export interface BankAccount {
  readonly id: string;
  readonly userId: string;
  readonly openingBalance: string;
}

/** A bank on servers of its own, which may be killed, behind several gateway processes, which may be as well. */
export class BankSite {
  readonly cluster: EmbeddedCluster;
  readonly tenantId = TENANT_ID;
  readonly #gateways: GatewayProcess[];
  readonly #key: string;

  private constructor(cluster: EmbeddedCluster, gateways: GatewayProcess[], key: string) {
    this.cluster = cluster;
    this.#gateways = gateways;
    this.#key = key;
  }

  /** Starts all of it: two shards without replicas. It is stopped after the test file. */
  static async start(gateways: number): Promise<BankSite> {
    const cluster = await startOwnCluster({ shards: 2, replicas: 0 });
    // The first one applies the migrations.
    const first = await startGateway(cluster);
    const key = await first.createTenant(TENANT_ID);
    const others = Array.from({ length: gateways - 1 }, () => startGateway(cluster));
    return new BankSite(cluster, [first, ...(await Promise.all(others))], key);
  }

  get gateways(): number {
    return this.#gateways.length;
  }

  /** Of the primaries, with an administrator's login. */
  get adminUrls(): string[] {
    return this.cluster.config.shards.map(({ primary }) => primary.adminUrl);
  }

  /** Asks one of the gateways. @throws Error when the connection is cut before the answer is there */
  post<Body>(
    gateway: number,
    path: string,
    body: unknown,
    request: HttpRequest = {},
  ): Promise<HttpAnswer<Body>> {
    const { url } = this.#gateways[gateway % this.gateways]!;
    return new HttpClient(url, this.#key).post<Body>(path, body, request);
  }

  /** Opens an account in peace. */
  async open(account: { userId: string; number: string; currency: string; openingBalance: string }) {
    const { userId, number: accountNumber, currency, openingBalance } = account;
    const body = { accountNumber, currency, openingBalance };
    const answer = await this.post<{ id: string }>(0, '/v1/accounts', body, { userId });
    if (answer.status !== 201) throw new Error(`Not opened: ${answer.text}`);
    return { id: answer.body.id, userId, openingBalance };
  }

  /** A gateway process dies; nobody answers in its place. */
  async killGateway(gateway: number): Promise<void> {
    await this.#gateways[gateway]!.stop('SIGKILL');
  }

  /** Another process takes the place of one that died. */
  async replaceGateway(gateway: number): Promise<void> {
    this.#gateways[gateway] = await startGateway(this.cluster);
  }
}

function startGateway({ config }: EmbeddedCluster): Promise<GatewayProcess> {
  return GatewayProcess.start({ config, env: { LOG_LEVEL: 'warn' } });
}
