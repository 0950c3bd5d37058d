import { escapeIdentifier } from 'pg';
import type { SqlExecutor } from '../../common/sql-executor.js';
import type { MigrationTarget } from './migration-plan.js';

/** Lets the gateway's login decide transactions over several shards. DELETE is also what the lock of a cut needs. */
export async function grantTransactions(sql: SqlExecutor, { gatewayRole }: MigrationTarget): Promise<void> {
  await sql.query(
    `grant select, insert, delete on shardgate.commit_records to ${escapeIdentifier(gatewayRole)}`,
  );
}
