import type { SqlRow } from '../../common/sql-executor.js';
import type { Tenant, TenantQuota, TenantStatus } from './tenant.js';

/** The columns of a tenant, as {@link TenantRow} has them. */
export const TENANT_COLUMNS = `
  id, name, status, placement_shard as "placementShard", sub_minor_units as "subMinorUnits", quota,
  created_at as "createdAt", updated_at as "updatedAt"
`;

/** A row of `shardgate.tenants`. */
export interface TenantRow extends SqlRow {
  readonly id: string;
  readonly name: string;
  readonly status: TenantStatus;
  readonly placementShard: string | null;
  readonly subMinorUnits: boolean;
  readonly quota: TenantQuota;
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

/** The tenant that a row describes. */
export function tenantOfRow({ placementShard, ...row }: TenantRow): Tenant {
  return {
    id: row.id,
    name: row.name,
    status: row.status,
    placement: placementShard === null ? { mode: 'pooled' } : { mode: 'dedicated', shardId: placementShard },
    subMinorUnits: row.subMinorUnits,
    quota: row.quota,
    createdAt: row.createdAt,
    updatedAt: row.updatedAt,
  };
}
