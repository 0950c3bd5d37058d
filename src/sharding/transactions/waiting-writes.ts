import type { NamedStatement } from '../connections/statement-group.js';
import { FINISH_PATIENCE_MS } from './commit-coordinator.js';

/** Half of the time after which a caller may be told of what waits: clocks may be set meanwhile. */
const WAITING_MS = FINISH_PATIENCE_MS / 2;

/**
 * Asks whether a transaction that has written this table waits, prepared: nobody sees its rows before it is
 * finished, also not who was told of them. Those that are only on their way do not count: nobody was told of them.
 *
 * Each transaction has its own id locked, and by that its other locks are found.
 *
 * @param name of the statement
 * @param table with its schema, as SQL
 * @returns a statement with a row if there is one
 */
export function waitingWritesOf(name: string, table: string): NamedStatement {
  return {
    name,
    text: `
      SELECT 1 AS waiting
      FROM pg_catalog.pg_prepared_xacts AS prepared
      JOIN pg_catalog.pg_locks AS own ON own.transactionid = prepared.transaction AND own.mode = 'ExclusiveLock'
      JOIN pg_catalog.pg_locks AS held ON held.virtualtransaction = own.virtualtransaction
      WHERE prepared.database = current_database()
        AND prepared.prepared < clock_timestamp() - interval '${WAITING_MS} milliseconds'
        AND held.locktype = 'relation' AND held.relation = '${table}'::regclass
        AND held.mode = 'RowExclusiveLock'
      LIMIT 1`,
  };
}
