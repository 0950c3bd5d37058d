import type { MigrationClass } from '../migration-plan.js';
import { CreateCommitRecords1763800000050 } from './create-commit-records.js';
import { CreateShardTables1763800000000 } from './create-shard-tables.js';

/** What makes the gateway's own tables of a shard, in order; every plan begins with it. */
export const SYSTEM_MIGRATIONS: readonly MigrationClass[] = [
  CreateShardTables1763800000000,
  CreateCommitRecords1763800000050,
];
