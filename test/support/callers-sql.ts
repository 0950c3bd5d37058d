import type pg from 'pg';
import type { SqlRow } from '../../src/common/sql-executor.js';
import type { ReadOptions } from '../../src/gateway/shard-reads.js';
import type { TenantConnections } from '../../src/sharding/tenant-roles/tenant-connections.js';
import type { GatewayFixture } from './gateway-fixture.js';

/** Statements of one transaction. */
type RunStatement = (sql: string, params?: readonly unknown[]) => Promise<SqlRow[]>;

/** Callers' own SQL, as tests of isolation need it: one statement, or several in one transaction. */
export interface CallersSql {
  query(tenantId: string, sql: string, params?: readonly unknown[]): Promise<SqlRow[]>;
  transaction<T>(tenantId: string, work: (run: RunStatement) => Promise<T>): Promise<T>;
}

/** As the gateway begins a transaction of a caller's: with an exported snapshot it cannot be prepared. */
const BEGIN_SQL = 'BEGIN READ WRITE; SELECT pg_catalog.pg_export_snapshot()';

/** Through a gateway, as its importers send them. @param options where a statement alone goes that may only read */
export function callersSqlThrough(
  fixture: GatewayFixture,
  options: ReadOptions = { from: 'primary' },
): CallersSql {
  const { runtime, shardId } = fixture;
  const { gateway } = runtime;
  return {
    query: (tenantId, sql, params = []) =>
      fixture.as(tenantId, () => gateway.query(sql, params, { shardId }, options)),
    transaction: (tenantId, work) =>
      fixture.as(tenantId, () =>
        gateway.transaction({ userId: fixture.userOf(tenantId) }, (tx) =>
          work((sql, params) => tx.query(sql, params)),
        ),
      ),
  };
}

/** Straight on the connections: for what the connections do by themselves. */
export function callersSqlOn(connections: TenantConnections): CallersSql {
  return {
    query: async (tenantId, sql, params = []) => {
      const connection = await connections.acquire(tenantId);
      const [begun, answered, committed] = await Promise.allSettled([
        connection.query(BEGIN_SQL),
        connection.query<SqlRow>(extended(sql, params)),
        connection.query('COMMIT'),
      ]);
      connections.release(connection, committed.status === 'rejected');
      if (begun.status === 'rejected') throw begun.reason;
      if (answered.status === 'rejected') throw answered.reason;
      if (committed.status === 'rejected') throw committed.reason;
      return answered.value.rows;
    },
    transaction: async (tenantId, work) => {
      const connection = await connections.acquire(tenantId);
      let broken = true;
      try {
        await connection.query(BEGIN_SQL);
        const result = await work(async (sql, params = []) => {
          const { rows } = await connection.query<SqlRow>(extended(sql, params));
          if (connection.getTransactionStatus() === 'I') throw new Error('The transaction was ended.');
          return rows;
        });
        await connection.query('COMMIT');
        broken = false;
        return result;
      } catch (error) {
        broken = await connection.query('ROLLBACK').then(
          () => false,
          () => true,
        );
        throw error;
      } finally {
        connections.release(connection, broken);
      }
    },
  };
}

function extended(text: string, params: readonly unknown[]): pg.QueryConfig & { queryMode: 'extended' } {
  return { text, values: [...params], queryMode: 'extended' };
}
