import { GatewayError } from '../../common/gateway-error.js';
import type { Log } from '../../common/log.js';
import type { SqlExecutor, SqlRow } from '../../common/sql-executor.js';
import { hashSecret, isSameHash, parseApiKey, type ParsedApiKey } from './api-key.js';
import type { Tenant } from './tenant.js';
import { TENANT_COLUMNS, tenantOfRow, type TenantRow } from './tenant-rows.js';

/** Whose a key is. A suspended tenant is told apart by its status. */
export type Authentication =
  { readonly kind: 'operator' } | { readonly kind: 'tenant'; readonly tenant: Tenant };

/** What the directory needs besides the catalog. */
export interface TenantDirectoryOptions {
  readonly log: Log;
  /**
   * The operator's key from the configuration, of any form. Where there is one, no key of the catalog is the
   * operator's in this process.
   */
  readonly operatorKey?: string | undefined;
  /**
   * Brings the shard map up to date, or rejects. Awaited before a dedicated tenant is seen for the first
   * time: under an older map its rows would be written to the wrong shards.
   */
  readonly refreshShardMap: () => Promise<void>;
  /** How often to look, in case a notice was lost; 5 s by default. */
  readonly pollIntervalMs?: number;
}

/** Everything at one moment; replaced as a whole. */
interface Snapshot {
  readonly tenants: ReadonlyMap<string, Tenant>;
  readonly keys: ReadonlyMap<string, KeyRow>;
}

interface KeyRow extends SqlRow {
  readonly id: string;
  readonly tenantId: string | null;
  readonly secretHash: Buffer;
}

const DEFAULT_POLL_INTERVAL_MS = 5_000;
/** Unknown keys cost the catalog at most this often, however many are tried. */
const UNKNOWN_KEY_INTERVAL_MS = 250;

const KEYS_SQL = `
  select id, tenant_id as "tenantId", secret_hash as "secretHash"
  from shardgate.api_keys where revoked_at is null
`;
const TENANTS_SQL = `select ${TENANT_COLUMNS} from shardgate.tenants`;

/**
 * All tenants and the hashes of all keys, in memory in every process, so that no request asks the catalog.
 * While the catalog is away what was known last goes on to hold.
 */
export class TenantDirectory {
  readonly #catalog: SqlExecutor;
  readonly #options: TenantDirectoryOptions;
  readonly #operatorHash: Buffer | undefined;
  #snapshot: Snapshot = { tenants: new Map(), keys: new Map() };
  #running: Promise<void> | undefined;
  #following: Promise<void> | undefined;
  #unknownKeyRefresh: Promise<void> | undefined;
  #lastUnknownKeyRefreshMs = Number.NEGATIVE_INFINITY;
  #poll: NodeJS.Timeout | undefined;

  constructor(catalog: SqlExecutor, options: TenantDirectoryOptions) {
    this.#catalog = catalog;
    this.#options = options;
    this.#operatorHash = options.operatorKey === undefined ? undefined : hashSecret(options.operatorKey);
  }

  /**
   * Loads everything, then keeps looking. While the catalog is away nobody is known, and `authenticate` says
   * why; when it is back the next look finds everything.
   *
   * @throws whatever else the first load fails with
   */
  async start(): Promise<void> {
    this.#poll = setInterval(() => {
      this.refreshSoon();
    }, this.#options.pollIntervalMs ?? DEFAULT_POLL_INTERVAL_MS);
    this.#poll.unref();
    try {
      await this.refresh();
    } catch (error) {
      if (!isCatalogAway(error)) throw error;
      this.#warn(error, 'tenants are not known yet; they are loaded when the catalog is there');
    }
  }

  /** Loads everything anew in the background; a failure goes to the log. */
  refreshSoon(): void {
    this.refresh().catch((error: unknown) => {
      this.#warn(error, 'tenants could not be refreshed; the last known ones hold');
    });
  }

  /** Stops looking; what is known stays. */
  stop(): void {
    clearInterval(this.#poll);
  }

  /** Every tenant, in no particular order. */
  list(): readonly Tenant[] {
    return [...this.#snapshot.tenants.values()];
  }

  /** The tenant as this process knows it. */
  tenant(tenantId: string): Tenant | undefined {
    return this.#snapshot.tenants.get(tenantId);
  }

  /**
   * Loads everything anew. However many ask, one load runs at a time; what it brings is at least as new as
   * this call, because a load that was under way already is followed by another.
   */
  refresh(): Promise<void> {
    if (this.#running === undefined) {
      this.#running = this.#load().finally(() => {
        this.#running = undefined;
      });
      return this.#running;
    }
    this.#following ??= this.#running
      .catch(() => undefined)
      .then(() => {
        this.#following = undefined;
        return this.refresh();
      });
    return this.#following;
  }

  /**
   * Whose key this is; undefined when it is nobody's. Answers from memory, but for a well-formed key that is
   * not known: it may be a new one, so the catalog is asked, at most every 250 ms for all such keys together.
   *
   * @throws CatalogUnavailableError when the key is not known and the catalog cannot be asked
   */
  async authenticate(key: string): Promise<Authentication | undefined> {
    if (this.#operatorHash !== undefined && isSameHash(hashSecret(key), this.#operatorHash)) {
      return { kind: 'operator' };
    }
    const parsed = parseApiKey(key);
    if (parsed === undefined) return undefined;
    if (!this.#snapshot.keys.has(parsed.keyId)) await this.#refreshForUnknownKey();
    return this.#match(parsed);
  }

  #warn(error: unknown, message: string): void {
    const reason = error instanceof GatewayError ? error.message : 'unknown';
    this.#options.log.warn({ reason }, message);
  }

  #match({ keyId, secretHash }: ParsedApiKey): Authentication | undefined {
    const known = this.#snapshot.keys.get(keyId);
    if (known === undefined || !isSameHash(known.secretHash, secretHash)) return undefined;
    if (known.tenantId === null) return this.#operatorHash === undefined ? { kind: 'operator' } : undefined;
    const tenant = this.#snapshot.tenants.get(known.tenantId);
    return tenant === undefined ? undefined : { kind: 'tenant', tenant };
  }

  /** All who ask before the next load starts share it. */
  #refreshForUnknownKey(): Promise<void> {
    this.#unknownKeyRefresh ??= this.#waitForUnknownKeyTurn().then(() => {
      this.#unknownKeyRefresh = undefined;
      this.#lastUnknownKeyRefreshMs = performance.now();
      return this.refresh();
    });
    return this.#unknownKeyRefresh;
  }

  async #waitForUnknownKeyTurn(): Promise<void> {
    const waitMs = this.#lastUnknownKeyRefreshMs + UNKNOWN_KEY_INTERVAL_MS - performance.now();
    if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
  }

  /** Keys before tenants: a tenant that is there with its key is then there for its key. */
  async #load(): Promise<void> {
    const keys = await this.#catalog.query<KeyRow>(KEYS_SQL);
    const tenants = (await this.#catalog.query<TenantRow>(TENANTS_SQL)).map(tenantOfRow);
    const isNewDedicated = ({ id, placement }: Tenant) =>
      placement.mode === 'dedicated' && !this.#snapshot.tenants.has(id);
    if (tenants.some(isNewDedicated)) await this.#options.refreshShardMap();
    this.#snapshot = {
      tenants: new Map(tenants.map((tenant) => [tenant.id, tenant])),
      keys: new Map(keys.map((key) => [key.id, key])),
    };
  }
}

function isCatalogAway(error: unknown): boolean {
  return error instanceof GatewayError && error.code === 'catalog_unavailable';
}
