import { setTimeout as sleep } from 'node:timers/promises';
import { GatewayError } from '../common/gateway-error.js';
import type { Log } from '../common/log.js';
import type { TenantStore } from '../modules/tenants/tenant-store.js';

/** The tenant that a new embedded cluster begins with. */
export const DEMO_TENANT_ID = 'demo';

const RETRY_MS = 1_000;

/** Keys that were made just now, in clear for this once. */
export interface FirstKeys {
  readonly operatorKey?: string;
  readonly demoKey?: string;
}

/** Which keys a new installation gets. */
interface FirstRun {
  /** The operator's key of the configuration; where there is one, none is made. */
  readonly configuredKey: string | undefined;
  readonly withDemo: boolean;
  readonly log: Log;
  /** Ends the attempts. */
  readonly signal: AbortSignal;
}

/**
 * Makes the operator's key where none was ever made and none is configured and, on request, the demo tenant
 * where there is no tenant at all. While the catalog is away it goes on trying: a key that was made must be
 * shown, or nobody ever knows it.
 *
 * @throws whatever fails otherwise, and when `signal` ends it
 */
export async function makeFirstKeys(tenants: TenantStore, wanted: FirstRun): Promise<FirstKeys> {
  const { configuredKey, withDemo } = wanted;
  const operatorKey =
    configuredKey === undefined
      ? await whenCatalogIsThere(() => tenants.ensureOperatorKey(), wanted)
      : undefined;
  const demoKey = withDemo ? await whenCatalogIsThere(() => makeDemoTenant(tenants), wanted) : undefined;
  return {
    ...(operatorKey !== undefined && { operatorKey }),
    ...(demoKey !== undefined && { demoKey }),
  };
}

async function whenCatalogIsThere<T>(
  work: () => Promise<T>,
  { log, signal }: Pick<FirstRun, 'log' | 'signal'>,
): Promise<T> {
  for (;;) {
    signal.throwIfAborted();
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof GatewayError && error.code === 'catalog_unavailable')) throw error;
      log.warn({}, 'the first keys cannot be made while the catalog is away; they are tried again');
    }
    await sleep(RETRY_MS, undefined, { ref: false, signal });
  }
}

async function makeDemoTenant(tenants: TenantStore): Promise<string | undefined> {
  const [first] = await tenants.list({ limit: 1 });
  if (first !== undefined) return undefined;
  const { apiKey } = await tenants.create({ id: DEMO_TENANT_ID, name: 'Demo' });
  return apiKey;
}
