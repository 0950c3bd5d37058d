import { AsyncLocalStorage } from 'node:async_hooks';
import type { DatabaseNode } from '../sharding/connections/database-node.js';
import type { PreparedStatement, RawRow, RowReader } from '../sharding/connections/prepared-statement.js';

/** A statement that takes `[tenantId, ids[]]` and gives the rows of these ids, in any order. */
export interface ByIdsStatement<Row> {
  readonly prepared: PreparedStatement<Row>;
  /** Where in the select list the id stands. */
  readonly idIndex: number;
  /** Where the user stands whose row it is. */
  readonly userIdIndex: number;
}

/**
 * Ids of one statement. A full gathering is sent at once, so that the server looks rows up while this
 * process still reads those of the one before.
 */
const GATHERED_IDS_MAX = 128;

interface Waiter<Row> {
  /** The statement is shared by all of the tenant's users; a row of another one is not this one's to see. */
  readonly userId: string | undefined;
  readonly resolve: (row: Row | null) => void;
  readonly reject: (error: unknown) => void;
}

interface Gathering<Row = unknown> {
  readonly node: DatabaseNode;
  readonly tenantId: string;
  readonly statement: ByIdsStatement<Row>;
  readonly waiters: Map<string, Waiter<Row>[]>;
}

/**
 * Single rows by id. Those that one tenant asks for on one node in the same turn of the event loop become
 * one statement; who asks alone waits for nobody. No two callers get the same object.
 */
export class PointReads {
  readonly #gatherings = new Map<string, Gathering>();
  /** Connections that are opened meanwhile must not carry the scope of whoever happened to ask. */
  readonly #outsideOfScopes = AsyncLocalStorage.snapshot();
  #scheduled = false;

  /**
   * @param id in lower case, a UUID
   * @param userId whose row it must be; undefined: whoever's
   */
  find<Row>(
    node: DatabaseNode,
    tenantId: string,
    statement: ByIdsStatement<Row>,
    id: string,
    userId: string | undefined,
  ): Promise<Row | null> {
    return new Promise((resolve, reject) => {
      const key = `${node.id} ${statement.prepared.name} ${tenantId}`;
      const gathering = this.#gathering(key, node, tenantId, statement);
      const waiters = gathering.waiters.get(id);
      const waiter = { userId, resolve, reject };
      if (waiters === undefined) gathering.waiters.set(id, [waiter]);
      else waiters.push(waiter);
      if (gathering.waiters.size < GATHERED_IDS_MAX) return;
      this.#gatherings.delete(key);
      this.#outsideOfScopes(() => void send(gathering));
    });
  }

  #gathering<Row>(
    key: string,
    node: DatabaseNode,
    tenantId: string,
    statement: ByIdsStatement<Row>,
  ): Gathering<Row> {
    // The key holds the statement's name, so the rows are of its type.
    const known = this.#gatherings.get(key) as Gathering<Row> | undefined;
    if (known !== undefined) return known;
    const gathering: Gathering<Row> = { node, tenantId, statement, waiters: new Map() };
    this.#gatherings.set(key, gathering as Gathering);
    if (!this.#scheduled) {
      this.#scheduled = true;
      setImmediate(() => {
        this.#outsideOfScopes(() => {
          this.#sendAll();
        });
      });
    }
    return gathering;
  }

  #sendAll(): void {
    this.#scheduled = false;
    const gatherings = [...this.#gatherings.values()];
    this.#gatherings.clear();
    for (const gathering of gatherings) void send(gathering);
  }
}

/** Never rejects: every waiter is told. */
async function send<Row>({ node, tenantId, statement, waiters }: Gathering<Row>): Promise<void> {
  try {
    const { rows, read } = await node.read(tenantId, statement.prepared, [tenantId, [...waiters.keys()]]);
    for (const fields of rows) {
      const id = fields[statement.idIndex] ?? '';
      const userId = fields[statement.userIdIndex];
      for (const waiter of waiters.get(id) ?? []) {
        if (waiter.userId === undefined || waiter.userId === userId) answer(waiter, read, fields);
        else waiter.resolve(null);
      }
      waiters.delete(id);
    }
    for (const missed of waiters.values()) for (const { resolve } of missed) resolve(null);
  } catch (error) {
    for (const failed of waiters.values()) for (const { reject } of failed) reject(error);
  }
}

/** A row that cannot be read fails those who asked for it, not their neighbours. */
function answer<Row>({ resolve, reject }: Waiter<Row>, read: RowReader<Row>, fields: RawRow): void {
  let row: Row;
  try {
    row = read(fields);
  } catch (error) {
    reject(error);
    return;
  }
  resolve(row);
}
