/** Whether a tenant is served. A suspended one keeps its data and is refused. */
export type TenantStatus = 'active' | 'suspended';

/** Where a tenant's users live: on all shards by bucket, or together on one. Fixed at creation. */
type TenantPlacement = { readonly mode: 'pooled' } | { readonly mode: 'dedicated'; readonly shardId: string };

/** What a tenant may use; what is not given is not limited. */
export interface TenantQuota {
  readonly requestsPerSecond?: number;
  /** Share of the cache, from 0 to 1. */
  readonly cacheShare?: number;
  /** How many accounts there may be. */
  readonly accounts?: number;
}

/** A customer of the gateway, whose data nobody else reaches. */
export interface Tenant {
  readonly id: string;
  readonly name: string;
  readonly status: TenantStatus;
  readonly placement: TenantPlacement;
  /** Amounts may have four fraction digits, whatever the currency has. */
  readonly subMinorUnits: boolean;
  readonly quota: TenantQuota;
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

/** What is said of a tenant when it is created. */
export interface NewTenant {
  readonly id: string;
  readonly name: string;
  readonly placement?: TenantPlacement | undefined;
  readonly subMinorUnits?: boolean | undefined;
  readonly quota?: TenantQuota | undefined;
}

/** What may change of a tenant afterwards; what is not given stays. */
export interface TenantChange {
  readonly name?: string | undefined;
  readonly status?: TenantStatus | undefined;
  readonly quota?: TenantQuota | undefined;
}
