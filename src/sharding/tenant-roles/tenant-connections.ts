import { GatewayError, PoolExhaustedError } from '../../common/gateway-error.js';
import type { Log } from '../../common/log.js';
import type { SqlExecutor } from '../../common/sql-executor.js';
import type { ConnectionSource, PooledConnection, PoolUse } from '../connections/connection-pool.js';
import { nodeGivenUp } from '../connections/client-settings.js';
import { nextTurn } from './fair-turn.js';
import { TenantClient } from './tenant-client.js';
import type { TenantConnectionOptions } from './tenant-connection-options.js';
import type { TenantCredentials } from './tenant-credentials.js';
import { TenantLogins, type TenantNode } from './tenant-logins.js';

/** A full queue refuses at once: whoever would come last could only time out. */
const WAITING_PER_TENANT_MAX = 1_000;

const ENDED = 'Connection terminated because the gateway is closing';

interface Waiter {
  readonly tenantId: string;
  readonly resolve: (client: TenantClient) => void;
  readonly reject: (reason: unknown) => void;
  readonly timeout: NodeJS.Timeout;
}

/**
 * The connections to one node on which callers' own SQL runs. Each is logged in as one tenant, which no
 * statement can change, and serves that tenant only. They are few: an idle one of another tenant is closed
 * where a login needs its place, and tenants that wait take turns.
 */
export class TenantConnections {
  readonly #nodeId: string;
  readonly #logins: TenantLogins;
  readonly #options: TenantConnectionOptions;
  readonly #perTenantMax: number;
  /** Least recently used first. */
  readonly #idle = new Map<TenantClient, NodeJS.Timeout>();
  /** Connections lent, being wiped or logging in, by tenant. */
  readonly #held = new Map<string, number>();
  readonly #waiting: Waiter[] = [];
  #ended: (() => void) | undefined;

  /** @param own the gateway's own login on the same node: it makes the roles (on a primary) and ends lost sessions */
  constructor(
    node: TenantNode,
    credentials: TenantCredentials,
    own: SqlExecutor,
    options: TenantConnectionOptions,
    log: Log,
  ) {
    this.#nodeId = node.id;
    this.#options = options;
    this.#perTenantMax = Math.ceil(options.max / 2);
    this.#logins = new TenantLogins(node, credentials, own, options, log);
    this.#logins.onClose = (client) => {
      this.#leaveIdle(client);
      if (this.#logins.openCount === 0) this.#ended?.();
    };
  }

  /** How full it is. */
  get use(): PoolUse {
    return {
      open: this.#logins.openCount,
      idle: this.#idle.size,
      waiting: this.#waiting.length,
      limit: this.#options.max,
    };
  }

  /** Connections lent, being wiped, logging in, or waited for. */
  get inUse(): number {
    return this.#heldInAll() + this.#waiting.length;
  }

  /** The connections of one tenant, for who needs to know of no other. */
  of(tenantId: string): ConnectionSource {
    return {
      acquire: () => this.acquire(tenantId),
      release: (connection, broken) => {
        this.release(connection, broken);
      },
    };
  }

  /**
   * Lends a connection that is logged in as this tenant. The tenant's role is made at its first login.
   *
   * @throws PoolExhaustedError when none becomes free in time
   * @throws GatewayError `overloaded` when too many of this tenant wait already
   * @throws ConfigurationError when the database cannot have roles for tenants; the message says what to do
   * @throws TenantLoginUnavailableError from a replica that cannot log in for this tenant at the moment
   */
  acquire(tenantId: string): Promise<PooledConnection> {
    return new Promise((resolve, reject) => {
      if (this.#ended !== undefined) throw new Error(ENDED);
      if (this.#waiting.filter((waiter) => waiter.tenantId === tenantId).length >= WAITING_PER_TENANT_MAX) {
        throw new GatewayError('overloaded', `Too many statements wait for ${this.#nodeId}; retry later.`, {
          retryAfterSeconds: 1,
        });
      }
      const timeout = setTimeout(() => {
        this.#waiting.splice(this.#waiting.indexOf(waiter), 1);
        reject(new PoolExhaustedError(this.#nodeId, this.#options.acquireTimeoutMs));
      }, this.#options.acquireTimeoutMs);
      const waiter: Waiter = { tenantId, resolve, reject, timeout };
      this.#waiting.push(waiter);
      this.#serve();
    });
  }

  /**
   * Takes a connection back, with no transaction open. It is wiped of all that its user left before it is lent
   * again; where that fails, or where it is `broken`, it is closed, and what still runs on it is ended.
   */
  release(connection: PooledConnection, broken: boolean): void {
    if (!(connection instanceof TenantClient)) throw new TypeError('This connection was not lent here.');
    if (broken || connection.isExpired || this.#ended !== undefined) this.#close(connection, broken);
    else void this.#wipe(connection);
  }

  /** Gives up on the node: all connections are closed at once, and whatever waits fails. The next caller connects anew. */
  cut(): void {
    const reason = nodeGivenUp();
    this.#refuseAll(reason);
    this.#logins.cut(reason);
  }

  /** Closes every connection as it comes back; resolves when all are closed. */
  async end(): Promise<void> {
    const closed = new Promise<void>((resolve) => {
      this.#ended = resolve;
    });
    this.#refuseAll(new Error(ENDED));
    for (const client of this.#idle.keys()) this.#logins.close(client, false);
    if (this.#logins.openCount === 0) this.#ended?.();
    await closed;
  }

  async #wipe(client: TenantClient): Promise<void> {
    try {
      await client.wipe();
    } catch {
      this.#close(client, true);
      return;
    }
    this.#count(client.tenantId, -1);
    if (this.#ended === undefined) this.#keepIdle(client);
    else this.#logins.close(client, false);
    this.#serve();
  }

  #close(client: TenantClient, mayRunOn: boolean): void {
    this.#count(client.tenantId, -1);
    this.#logins.close(client, mayRunOn);
    this.#serve();
  }

  /** Gives out what can be given out, in turn. */
  #serve(): void {
    while (this.#waiting.length > 0 && this.#heldInAll() < this.#options.max) {
      const tenants = this.#waiting.map(({ tenantId }) => tenantId);
      const place = nextTurn(tenants, this.#held, this.#perTenantMax);
      const [waiter] = place === undefined ? [] : this.#waiting.splice(place, 1);
      if (waiter === undefined) return;
      clearTimeout(waiter.timeout);
      this.#count(waiter.tenantId, 1);
      const idle = [...this.#idle.keys()].findLast(({ tenantId }) => tenantId === waiter.tenantId);
      if (idle === undefined) {
        void this.#logInFor(waiter);
      } else {
        this.#leaveIdle(idle);
        idle.holdProcess(true);
        waiter.resolve(idle);
      }
    }
  }

  async #logInFor(waiter: Waiter): Promise<void> {
    const leastRecent = this.#idle.keys().next().value;
    if (leastRecent !== undefined && this.#heldInAll() + this.#idle.size > this.#options.max) {
      this.#leaveIdle(leastRecent);
      this.#logins.close(leastRecent, false);
    }
    try {
      waiter.resolve(await this.#logins.logIn(waiter.tenantId));
    } catch (error) {
      this.#count(waiter.tenantId, -1);
      waiter.reject(error);
      this.#serve();
    }
  }

  #keepIdle(client: TenantClient): void {
    if (!this.#logins.isOpen(client)) return;
    // A connection that nobody uses keeps no command-line program alive.
    client.holdProcess(false);
    const timeout = setTimeout(() => {
      this.#leaveIdle(client);
      this.#logins.close(client, false);
    }, this.#options.idleMs);
    this.#idle.set(client, timeout.unref());
  }

  #leaveIdle(client: TenantClient): void {
    clearTimeout(this.#idle.get(client));
    this.#idle.delete(client);
  }

  #refuseAll(reason: Error): void {
    for (const waiter of this.#waiting.splice(0)) {
      clearTimeout(waiter.timeout);
      waiter.reject(reason);
    }
  }

  #count(tenantId: string, change: 1 | -1): void {
    const count = (this.#held.get(tenantId) ?? 0) + change;
    if (count > 0) this.#held.set(tenantId, count);
    else this.#held.delete(tenantId);
  }

  #heldInAll(): number {
    let sum = 0;
    for (const count of this.#held.values()) sum += count;
    return sum;
  }
}
