import type { TenantStore } from '../modules/tenants/tenant-store.js';

/** The tenant that a new embedded cluster begins with. */
export const DEMO_TENANT_ID = 'demo';

/** Keys that were made just now, in clear for this once. */
export interface FirstKeys {
  readonly operatorKey?: string;
  readonly demoKey?: string;
}

/**
 * Makes the operator's key where none was ever made and none is configured and, on request, the demo tenant
 * where there is no tenant at all.
 */
export async function makeFirstKeys(
  tenants: TenantStore,
  { configuredKey, withDemo }: { configuredKey: string | undefined; withDemo: boolean },
): Promise<FirstKeys> {
  const operatorKey = configuredKey === undefined ? await tenants.ensureOperatorKey() : undefined;
  const demoKey = withDemo ? await makeDemoTenant(tenants) : undefined;
  return {
    ...(operatorKey !== undefined && { operatorKey }),
    ...(demoKey !== undefined && { demoKey }),
  };
}

async function makeDemoTenant(tenants: TenantStore): Promise<string | undefined> {
  const [first] = await tenants.list({ limit: 1 });
  if (first !== undefined) return undefined;
  const { apiKey } = await tenants.create({ id: DEMO_TENANT_ID, name: 'Demo' });
  return apiKey;
}
