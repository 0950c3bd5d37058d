import {
  ConfigurationError,
  GatewayError,
  NotFoundError,
  ValidationError,
} from '../../common/gateway-error.js';
import type { SqlExecutor } from '../../common/sql-executor.js';
import type { ShardMapStore } from '../../sharding/topology/shard-map-store.js';
import { mintApiKey, type MintedApiKey } from './api-key.js';
import type { NewTenant, Tenant, TenantChange } from './tenant.js';
import { TENANT_COLUMNS, tenantOfRow, type TenantRow } from './tenant-rows.js';

/** A tenant together with its first key, in clear for this once. */
export interface CreatedTenant {
  readonly tenant: Tenant;
  readonly apiKey: string;
}

/** A key that was added, in clear for this once. */
export interface AddedApiKey {
  readonly keyId: string;
  readonly apiKey: string;
}

/** Each attempt loses only to another change of the shard map, which is rare. */
const PLACEMENT_ATTEMPTS = 20;
const UNIQUE_VIOLATION = '23505';
const LIST_LIMIT_MAX = 500;

/** Its name is known, so that of several processes at their first start only one makes it. */
const FIRST_OPERATOR_KEY_ID = 'operator0001';

const INSERT_POOLED_SQL = `
  with created as (
    insert into shardgate.tenants (id, name, sub_minor_units, quota) values ($1, $2, $3, $4::jsonb)
    returning *
  ), key as (
    insert into shardgate.api_keys (id, tenant_id, secret_hash) select $5, id, $6 from created
  )
  select ${TENANT_COLUMNS} from created
`;

/**
 * The shard map and the tenant change in one statement, or neither does: a tenant without its override would
 * be routed by bucket, and an override without its tenant would tear an existing one from its rows. No row
 * comes back when the map is no longer of the epoch ($8) that the new one ($9, $10) was derived from.
 */
const INSERT_DEDICATED_SQL = `
  with map as (
    update shardgate.shard_map set epoch = $9, record = $10::jsonb, changed_at = now() where epoch = $8
    returning epoch
  ), created as (
    insert into shardgate.tenants (id, name, sub_minor_units, quota, placement_mode, placement_shard)
    select $1, $2, $3, $4::jsonb, 'dedicated', $7 from map
    returning *
  ), key as (
    insert into shardgate.api_keys (id, tenant_id, secret_hash) select $5, id, $6 from created
  ), notice as (
    select pg_notify('shardgate_catalog', 'shard_map') from map
  )
  select ${TENANT_COLUMNS} from created, notice
`;

const GET_SQL = `select ${TENANT_COLUMNS} from shardgate.tenants where id = $1`;

const LIST_SQL = `select ${TENANT_COLUMNS} from shardgate.tenants where id > $1 order by id limit $2`;

const UPDATE_SQL = `
  update shardgate.tenants
  set name = coalesce($2, name), status = coalesce($3, status), quota = coalesce($4::jsonb, quota),
      updated_at = clock_timestamp()
  where id = $1
  returning ${TENANT_COLUMNS}
`;

const ADD_KEY_SQL = `
  insert into shardgate.api_keys (id, tenant_id, secret_hash)
  select $2, id, $3 from shardgate.tenants where id = $1
  returning id
`;

const REVOKE_KEY_SQL = `
  update shardgate.api_keys set revoked_at = clock_timestamp()
  where tenant_id = $1 and id = $2 and revoked_at is null
  returning id
`;

/** A row comes back also when it is the one of an earlier attempt whose answer was lost. */
const INSERT_OPERATOR_KEY_SQL = `
  insert into shardgate.api_keys as known (id, tenant_id, secret_hash) values ($1, null, $2)
  on conflict (id) do update set secret_hash = excluded.secret_hash
    where known.secret_hash = excluded.secret_hash
  returning id
`;

/** Tenants and keys as the catalog keeps them. Every change is one statement, and notifies all processes. */
export class TenantStore {
  readonly #catalog: SqlExecutor;
  readonly #shardMaps: ShardMapStore;
  readonly #shardIds: ReadonlySet<string>;
  readonly #mint: (keyId?: string) => MintedApiKey;
  #firstOperatorKey: MintedApiKey | undefined;

  /** @param shardIds the configured shards, on which a dedicated tenant may be placed */
  constructor(
    catalog: SqlExecutor,
    shardMaps: ShardMapStore,
    shardIds: Iterable<string>,
    mint: (keyId?: string) => MintedApiKey = (keyId) => mintApiKey(undefined, keyId),
  ) {
    this.#catalog = catalog;
    this.#shardMaps = shardMaps;
    this.#shardIds = new Set(shardIds);
    this.#mint = mint;
  }

  /**
   * Creates a tenant and its first key.
   *
   * @throws GatewayError `tenant_exists`
   * @throws ValidationError when it is to live on a shard that is not configured
   */
  async create(wanted: NewTenant): Promise<CreatedTenant> {
    const minted = this.#mint();
    try {
      const row = await this.#insert(wanted, minted);
      return { tenant: tenantOfRow(row), apiKey: minted.key };
    } catch (error) {
      if (!isUniqueViolation(error)) throw error;
      throw tenantExists(wanted.id, error);
    }
  }

  /** The tenant; undefined when there is none. */
  async get(tenantId: string): Promise<Tenant | undefined> {
    const [row] = await this.#catalog.query<TenantRow>(GET_SQL, [tenantId]);
    return row === undefined ? undefined : tenantOfRow(row);
  }

  /** The tenants that follow `afterId` in the order of their ids, at most `limit` and at most 500. */
  async list({ afterId = '', limit }: { afterId?: string; limit: number }): Promise<Tenant[]> {
    const rows = await this.#catalog.query<TenantRow>(LIST_SQL, [afterId, Math.min(limit, LIST_LIMIT_MAX)]);
    return rows.map(tenantOfRow);
  }

  /** Changes what is given. @throws NotFoundError */
  async update(tenantId: string, change: TenantChange): Promise<Tenant> {
    const quota = change.quota === undefined ? null : JSON.stringify(change.quota);
    const [row] = await this.#catalog.query<TenantRow>(UPDATE_SQL, [
      tenantId,
      change.name ?? null,
      change.status ?? null,
      quota,
    ]);
    if (row === undefined) throw new NotFoundError(`The tenant ${tenantId}`);
    return tenantOfRow(row);
  }

  /** Adds a key; those that exist stay good. @throws NotFoundError when there is no such tenant */
  async addKey(tenantId: string): Promise<AddedApiKey> {
    const minted = this.#mint();
    const added = await this.#catalog.query(ADD_KEY_SQL, [tenantId, minted.keyId, minted.secretHash]);
    if (added.length === 0) throw new NotFoundError(`The tenant ${tenantId}`);
    return { keyId: minted.keyId, apiKey: minted.key };
  }

  /** Ends a key, be it the tenant's last. @throws NotFoundError when the tenant has no such key that is good */
  async revokeKey(tenantId: string, keyId: string): Promise<void> {
    const revoked = await this.#catalog.query(REVOKE_KEY_SQL, [tenantId, keyId]);
    if (revoked.length === 0) throw new NotFoundError(`The key ${keyId} of tenant ${tenantId}`);
  }

  /**
   * Makes the operator's key at the first start of all. After a failure it is to be called again, on this
   * object: the key may have been made although the answer did not come.
   *
   * @returns the key in clear if this call made it; undefined when there was one, also a revoked one
   */
  async ensureOperatorKey(): Promise<string | undefined> {
    this.#firstOperatorKey ??= this.#mint(FIRST_OPERATOR_KEY_ID);
    const minted = this.#firstOperatorKey;
    const made = await this.#catalog.query(INSERT_OPERATOR_KEY_SQL, [minted.keyId, minted.secretHash]);
    this.#firstOperatorKey = undefined;
    return made.length === 1 ? minted.key : undefined;
  }

  async #insert(wanted: NewTenant, minted: MintedApiKey): Promise<TenantRow> {
    const params = [
      wanted.id,
      wanted.name,
      wanted.subMinorUnits ?? false,
      JSON.stringify(wanted.quota ?? {}),
      minted.keyId,
      minted.secretHash,
    ];
    if (wanted.placement?.mode === 'dedicated') {
      return this.#insertDedicated(wanted.id, wanted.placement.shardId, params);
    }
    const [row] = await this.#catalog.query<TenantRow>(INSERT_POOLED_SQL, params);
    if (row === undefined) throw new GatewayError('internal_error', 'The catalog did not store the tenant.');
    return row;
  }

  async #insertDedicated(tenantId: string, shardId: string, params: readonly unknown[]): Promise<TenantRow> {
    if (!this.#shardIds.has(shardId)) {
      const known = [...this.#shardIds].join(', ');
      throw new ValidationError([{ path: 'placement.shardId', message: `must be one of ${known}` }]);
    }
    for (let attempt = 0; attempt < PLACEMENT_ATTEMPTS; attempt += 1) {
      const map = await this.#shardMaps.load();
      if (map === undefined) {
        throw new ConfigurationError('There is no shard map in the catalog yet; start the gateway once.');
      }
      // Overrides come and stay with their tenants, so there is one already.
      if (map.shardOfTenant(tenantId) !== undefined) throw tenantExists(tenantId);
      const next = map.withOverride(tenantId, shardId);
      const [row] = await this.#catalog.query<TenantRow>(INSERT_DEDICATED_SQL, [
        ...params,
        shardId,
        map.epoch,
        next.epoch,
        JSON.stringify(next.toRecord()),
      ]);
      if (row !== undefined) return row;
    }
    throw new GatewayError('overloaded', 'The shard map keeps changing; try again shortly.', {
      retryAfterSeconds: 1,
    });
  }
}

function tenantExists(tenantId: string, cause?: unknown): GatewayError {
  return new GatewayError('tenant_exists', `A tenant ${tenantId} exists; choose another id.`, { cause });
}

function isUniqueViolation(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === UNIQUE_VIOLATION;
}
