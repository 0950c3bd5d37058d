import type { ClusterSecrets } from './cluster-secrets.js';
import type { NodeSpec } from './node-spec.js';
import { ROLES } from './server-settings.js';

/** How to reach a server that takes writes. */
interface ClusterEndpoint {
  /** The gateway's own login. */
  readonly url: string;
  /** A superuser's login, for migrations, `doctor` and imports. */
  readonly adminUrl: string;
}

interface ClusterPrimary extends ClusterEndpoint {
  /** The login with which replicas follow, for caches that follow as well. */
  readonly replicationUrl: string;
}

/** How to reach the servers of a cluster: plain JSON, in the shape of the module's options. */
export interface ClusterConfig {
  readonly catalog: ClusterEndpoint;
  readonly shards: readonly {
    readonly id: string;
    readonly primary: ClusterPrimary;
    readonly replicas: readonly { readonly id: string; readonly url: string }[];
  }[];
}

/** The database of a node. */
export function databaseOf(node: NodeSpec): string {
  return node.role === 'catalog' ? 'catalog' : 'shardgate';
}

/** Makes the URLs of one running cluster. */
export class ClusterUrls {
  readonly #secrets: ClusterSecrets;
  readonly #caFile: string | undefined;

  /** @param caFile verify the servers against this authority; undefined: no TLS */
  constructor(secrets: ClusterSecrets, caFile: string | undefined) {
    this.#secrets = secrets;
    this.#caFile = caFile;
  }

  gateway(port: number, database: string): string {
    return this.#url(ROLES.gateway, this.#secrets.gatewayPassword, port, database);
  }

  admin(port: number, database: string): string {
    return this.#url(ROLES.admin, this.#secrets.adminPassword, port, database);
  }

  /** The configuration with which a gateway joins. */
  config(nodes: readonly NodeSpec[], portOf: (nodeId: string) => number): ClusterConfig {
    const endpoint = (node: NodeSpec): ClusterEndpoint => ({
      url: this.gateway(portOf(node.id), databaseOf(node)),
      adminUrl: this.admin(portOf(node.id), databaseOf(node)),
    });
    const catalog = nodes.filter(({ role }) => role === 'catalog').map(endpoint)[0];
    if (catalog === undefined) throw new RangeError('A cluster has a catalog.');
    const shards = nodes
      .filter(({ role }) => role === 'primary')
      .map((primary) => ({
        id: primary.id,
        primary: {
          ...endpoint(primary),
          replicationUrl: this.#replication(portOf(primary.id), databaseOf(primary)),
        },
        replicas: nodes
          .filter(({ primaryId }) => primaryId === primary.id)
          .map((replica) => ({ id: replica.id, url: this.gateway(portOf(replica.id), databaseOf(replica)) })),
      }));
    return { catalog, shards };
  }

  #replication(port: number, database: string): string {
    return this.#url(ROLES.replication, this.#secrets.replicationPassword, port, database);
  }

  #url(user: string, password: string, port: number, database: string): string {
    const tls =
      this.#caFile === undefined
        ? ''
        : `?sslmode=verify-full&sslrootcert=${encodeURIComponent(this.#caFile)}`;
    return `postgresql://${user}:${password}@127.0.0.1:${port}/${database}${tls}`;
  }
}
