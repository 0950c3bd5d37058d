import { ConfigurationError, PoolExhaustedError } from '../../common/gateway-error.js';
import type { Log } from '../../common/log.js';
import type { SqlExecutor } from '../../common/sql-executor.js';
import { isConnectionFailure, sqlStateOf } from '../connections/failure.js';
import { TenantClient, TouchedRoleError } from './tenant-client.js';
import type { TenantConnectionOptions } from './tenant-connection-options.js';
import type { TenantCredentials } from './tenant-credentials.js';
import { TenantLoginUnavailableError } from './tenant-login-unavailable-error.js';
import { TenantRoleKeeper } from './tenant-role-keeper.js';

const TOO_MANY_CONNECTIONS = '53300';

/** The node to log in to. */
export interface TenantNode {
  readonly id: string;
  /** With the gateway's own login, which is replaced by the tenant's. */
  readonly url: string;
  readonly role: 'primary' | 'replica';
}

/** The database does not know whose role this is. */
class UnknownRoleError extends Error {}

/**
 * Logs in to one node as tenants. A role that is missing, has another password or was tampered with is made,
 * or put right, at the primary, and tried once more.
 */
export class TenantLogins {
  readonly #node: TenantNode;
  readonly #credentials: TenantCredentials;
  readonly #keeper: TenantRoleKeeper;
  readonly #options: TenantConnectionOptions;
  readonly #log: Log;
  readonly #open = new Set<TenantClient>();

  /** Called with each connection once it is closed, whatever closed it. */
  onClose: (client: TenantClient) => void = () => undefined;

  /** @param own the gateway's own login on the same node */
  constructor(
    node: TenantNode,
    credentials: TenantCredentials,
    own: SqlExecutor,
    options: TenantConnectionOptions,
    log: Log,
  ) {
    this.#node = node;
    this.#credentials = credentials;
    this.#keeper = new TenantRoleKeeper(own, credentials);
    this.#options = options;
    this.#log = log;
  }

  /** Connections that are open or being opened. */
  get openCount(): number {
    return this.#open.size;
  }

  /** Whether this connection still stands, as far as anybody has noticed. */
  isOpen(client: TenantClient): boolean {
    return this.#open.has(client);
  }

  /**
   * A new connection that is logged in as this tenant.
   *
   * @throws ConfigurationError when the database cannot have roles for tenants, or does not let them in
   * @throws TenantLoginUnavailableError from a replica that does not know the role, or not as it should be
   * @throws PoolExhaustedError when the role has as many connections as a role of a tenant may have
   */
  async logIn(tenantId: string): Promise<TenantClient> {
    try {
      return await this.#attempt(tenantId);
    } catch (error) {
      if (!isRefusal(error)) throw this.#exhausted(error);
      if (this.#node.role === 'replica') throw new TenantLoginUnavailableError(this.#node.id, error);
    }
    await this.#keeper.ensure(tenantId);
    try {
      return await this.#attempt(tenantId);
    } catch (error) {
      if (!isRefusal(error)) throw this.#exhausted(error);
      throw new ConfigurationError(
        `${this.#node.id} refuses the login of a tenant's role (${sqlStateOf(error) ?? 'it carries settings'}); ` +
          'let the roles whose names begin with shardgate_t_ in with scram-sha-256, in pg_hba.conf and through any proxy.',
        error,
      );
    }
  }

  /** Closes a connection. @param mayRunOn whether a statement may still run on it: it is ended on the server then */
  close(client: TenantClient, mayRunOn: boolean): void {
    if (!this.#open.has(client)) return;
    if (!mayRunOn) {
      client.end().catch(() => {
        client.cut();
      });
      return;
    }
    const processId = client.serverProcessId;
    client.cut();
    if (processId === undefined) return;
    this.#keeper.endSession(processId).catch((error: unknown) => {
      const state = sqlStateOf(error);
      this.#log.warn({ node: this.#node.id, state }, 'a lost session of a tenant may still run');
    });
  }

  /** Closes all at once; statements and logins under way fail with the reason. */
  cut(reason: Error): void {
    for (const client of this.#open) client.cut(reason);
  }

  async #attempt(tenantId: string): Promise<TenantClient> {
    const login = {
      nodeUrl: this.#node.url,
      tenantId,
      role: this.#credentials.roleName(tenantId),
      password: this.#credentials.password(tenantId),
    };
    const client = new TenantClient(login, this.#options, (closed) => {
      this.#open.delete(closed);
      this.onClose(closed);
    });
    this.#open.add(client);
    const [loggedIn, mapped] = await Promise.allSettled([client.logIn(), this.#keeper.isMapped(tenantId)]);
    if (loggedIn.status === 'rejected') throw loggedIn.reason;
    if (mapped.status === 'fulfilled' && mapped.value) return client;
    client.cut();
    if (mapped.status === 'rejected' && !(mapped.reason instanceof ConfigurationError)) throw mapped.reason;
    throw new UnknownRoleError();
  }

  /** A role has a limit of connections of its own: reaching it says nothing of the server's health. */
  #exhausted(error: unknown): unknown {
    const isOwnLimit = error instanceof Error && error.message.includes(' for role ');
    return isOwnLimit && sqlStateOf(error) === TOO_MANY_CONNECTIONS
      ? new PoolExhaustedError(this.#node.id, this.#options.acquireTimeoutMs)
      : error;
  }
}

/** The server, or we, refused this very login; another one may succeed. */
function isRefusal(error: unknown): boolean {
  if (error instanceof TouchedRoleError || error instanceof UnknownRoleError) return true;
  return error instanceof Error && 'severity' in error && !isConnectionFailure(error);
}
