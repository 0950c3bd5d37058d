import type { EntityManager } from 'typeorm';
import { TenantQueryRunner } from '../sharding/connections/tenant-query-runner.js';
import type { ChangedRows } from '../sharding/connections/tenant-session.js';

/**
 * Runs a statement of the library's own that says itself which rows it changes. Of one that does not, and whose
 * text is more than a plain INSERT, UPDATE or DELETE, the cache has to believe that it changed anything.
 *
 * @param manager of a transaction
 * @param changes every row that it may have changed, found out from its answer
 */
export function queryDeclaring<T>(
  manager: EntityManager,
  sql: string,
  params: unknown[],
  changes: (answer: T) => readonly ChangedRows[],
): Promise<T> {
  const { queryRunner } = manager;
  if (!(queryRunner instanceof TenantQueryRunner)) {
    throw new TypeError('Only a manager of a transaction of the gateway can say what its statements change.');
  }
  return queryRunner.queryDeclaring(sql, params, changes);
}
