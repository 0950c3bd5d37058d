import { ConfigurationError } from '../../common/gateway-error.js';
import type { SqlExecutor } from '../../common/sql-executor.js';
import { sqlStateOf } from '../connections/failure.js';
import type { TenantCredentials } from './tenant-credentials.js';

const IS_MAPPED_SQL = `select from shardgate.tenant_roles where tenant_id = $1 and role_name = $2`;
const ENSURE_SQL = `select shardgate.ensure_tenant_role($1, $2) as role`;
const END_SESSION_SQL = `select shardgate.end_tenant_session($1)`;

/** What the server says when the functions are not there yet, or may not do what they are for. */
const NOT_PREPARED = new Set(['42501', '42883', '42P01', '42704', '3F000']);

/**
 * The tenants' roles of one shard, by way of the functions that its migrations made. The gateway's own login
 * has no rights over roles beyond these functions.
 */
export class TenantRoleKeeper {
  readonly #sql: SqlExecutor;
  readonly #credentials: TenantCredentials;
  readonly #underWay = new Map<string, Promise<void>>();

  /** @param sql the gateway's own login on the node in question */
  constructor(sql: SqlExecutor, credentials: TenantCredentials) {
    this.#sql = sql;
    this.#credentials = credentials;
  }

  /** Whether the database knows whose role this is: where it does not, the tenant would silently see nothing. */
  async isMapped(tenantId: string): Promise<boolean> {
    const params = [tenantId, this.#credentials.roleName(tenantId)];
    return (await this.#sql.query(IS_MAPPED_SQL, params).catch(explain)).length > 0;
  }

  /**
   * Makes a tenant's role, or puts it right: password, attributes, settings, memberships. Primary only. Calls
   * for one tenant that overlap are one.
   *
   * @throws ConfigurationError when the database is not prepared for it
   */
  ensure(tenantId: string): Promise<void> {
    const underWay = this.#underWay.get(tenantId);
    if (underWay !== undefined) return underWay;
    const started = this.#ensure(tenantId).finally(() => this.#underWay.delete(tenantId));
    this.#underWay.set(tenantId, started);
    return started;
  }

  /** Ends a tenant's session that its client has given up: a statement may run on without anybody listening. */
  async endSession(processId: number): Promise<void> {
    await this.#sql.query(END_SESSION_SQL, [processId]);
  }

  async #ensure(tenantId: string): Promise<void> {
    const params = [tenantId, this.#credentials.verifier(tenantId)];
    const [row] = await this.#sql.query<{ role: string }>(ENSURE_SQL, params).catch(explain);
    if (row?.role !== this.#credentials.roleName(tenantId)) {
      throw new ConfigurationError(
        'The database names the roles of tenants otherwise than this process; point its url at its own installation.',
      );
    }
  }
}

function explain(error: unknown): never {
  if (!NOT_PREPARED.has(sqlStateOf(error) ?? '')) throw error;
  throw new ConfigurationError(
    'Raw SQL needs a login per tenant, and the database cannot make them; give the login of adminUrl CREATEROLE ' +
      '(alter role … createrole) and run shardgate migrate; shardgate doctor says what else is missing.',
    error,
  );
}
