import { randomBytes } from 'node:crypto';
import { Socket } from 'node:net';
import pg from 'pg';
import { parseIntoClientConfig } from 'pg-connection-string';
import { clientSettings } from '../connections/client-settings.js';
import type { TenantConnectionOptions } from './tenant-connection-options.js';

/**
 * A role may always give itself settings (`alter role … set`), which the next login would begin with. The
 * first look finds what is recorded, the second what this very session began with, should the record be gone
 * again already. Every name is qualified: the search path is such a setting too.
 */
const IS_UNTOUCHED_SQL = `
  select not exists (
    select from pg_catalog.pg_db_role_setting s
    join pg_catalog.pg_roles r on r.oid operator(pg_catalog.=) s.setrole
    join pg_catalog.pg_database d on d.datname operator(pg_catalog.=) pg_catalog.current_database()
    where r.rolname operator(pg_catalog.=) session_user
      and (s.setdatabase operator(pg_catalog.=) d.oid or s.setdatabase operator(pg_catalog.=) '0'::pg_catalog.oid)
  ) and not exists (
    select from pg_catalog.pg_settings
    where source operator(pg_catalog.=) 'user' or source operator(pg_catalog.=) 'database user'
  ) as untouched
`;

/** What `setseed` did outlives DISCARD ALL: one caller would know the next one's random numbers. */
const RESEED_SQL = `select pg_catalog.setseed($1)`;

/** The tenant's role has settings of its own: nobody may be given a session that began with them. */
export class TouchedRoleError extends Error {
  constructor() {
    super('The role of the tenant carries settings of its own.');
  }
}

/** Who logs in, and where. */
export interface TenantLogin {
  readonly nodeUrl: string;
  readonly tenantId: string;
  readonly role: string;
  readonly password: string;
}

/** One connection that is logged in as one tenant. */
export class TenantClient extends pg.Client {
  readonly tenantId: string;
  readonly #socket: Socket;
  readonly #expiresAtMs: number;

  constructor(login: TenantLogin, options: TenantConnectionOptions, onClose: (client: TenantClient) => void) {
    const socket = new Socket();
    super({
      ...parseIntoClientConfig(login.nodeUrl),
      user: login.role,
      password: login.password,
      ...clientSettings(options),
      connectionTimeoutMillis: options.connectTimeoutMs,
      pipeline: true,
      stream: () => socket,
    });
    this.tenantId = login.tenantId;
    this.#socket = socket;
    this.#expiresAtMs = Date.now() + options.recycleMs * (1 - Math.random() / 10);
    // Its loss is reported by the statement under way, or noticed here; without a listener it would end the process.
    this.on('error', () => undefined);
    socket.once('close', () => {
      onClose(this);
    });
  }

  /** It has outlived its time. */
  get isExpired(): boolean {
    return Date.now() >= this.#expiresAtMs;
  }

  /** The server's process for this session, once there is one; the driver's types leave it out. */
  get serverProcessId(): number | undefined {
    const { processID } = this as unknown as { readonly processID: number | null };
    return processID ?? undefined;
  }

  /** Whether it keeps the process from ending: one that nobody uses must not. */
  holdProcess(hold: boolean): void {
    if (hold) this.#socket.ref();
    else this.#socket.unref();
  }

  /** Connects, and makes sure that the session began as a new role's does. @throws TouchedRoleError when it did not */
  async logIn(): Promise<void> {
    try {
      await this.connect();
      const { rows } = await this.query<{ untouched: boolean }>(IS_UNTOUCHED_SQL);
      if (rows[0]?.untouched !== true) throw new TouchedRoleError();
    } catch (error) {
      this.cut();
      throw error;
    }
  }

  /**
   * Takes from the session all that its user may have left in it: settings, role, temporary objects, prepared
   * statements, cursors, locks, subscriptions, and the state of `random()`.
   *
   * @throws Error when something may be left; the connection must not be lent again then
   */
  async wipe(): Promise<void> {
    const seed = randomBytes(6).readUIntBE(0, 6) / 2 ** 48;
    await Promise.all([this.query('DISCARD ALL'), this.query(RESEED_SQL, [seed])]);
  }

  /** For `pg.PoolClient`'s sake: connections go back through the pool that lent them. */
  release(): void {
    this.cut();
  }

  /** Closes the connection at once; statements under way fail with the reason, if one is given. */
  cut(reason?: Error): void {
    this.#socket.destroy(reason);
  }
}
