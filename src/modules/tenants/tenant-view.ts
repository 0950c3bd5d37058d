import type { Tenant } from './tenant.js';

/** A tenant as HTTP answers it: times in ISO 8601. */
export interface TenantView extends Omit<Tenant, 'createdAt' | 'updatedAt'> {
  readonly createdAt: string;
  readonly updatedAt: string;
}

/** The tenant as HTTP answers it. */
export function tenantView(tenant: Tenant): TenantView {
  return {
    ...tenant,
    createdAt: tenant.createdAt.toISOString(),
    updatedAt: tenant.updatedAt.toISOString(),
  };
}
