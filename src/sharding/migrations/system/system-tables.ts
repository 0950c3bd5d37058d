import type { ProtectedTable } from '../migration-plan.js';

/** The gateway's own tables on every shard that hold tenants' rows. Callers' own SQL has no business there. */
export const SYSTEM_TABLES: readonly ProtectedTable[] = [
  {
    schema: 'shardgate',
    table: 'lookup_entries',
    identity: ['bucket', 'tenant_id', 'index_name', 'value'],
    rawSql: false,
  },
  {
    schema: 'shardgate',
    table: 'claim_outcomes',
    identity: ['bucket', 'tenant_id', 'row_id'],
    rawSql: false,
  },
  {
    schema: 'shardgate',
    table: 'idempotency_keys',
    identity: ['bucket', 'tenant_id', 'user_id', 'key'],
    rawSql: false,
  },
];
