import { AsyncLocalStorage } from 'node:async_hooks';
import type { DatabaseNode } from '../sharding/connections/database-node.js';
import type { PreparedStatement } from '../sharding/connections/prepared-statement.js';

/** A statement for rows by id. */
export interface ByIdStatement<Row> {
  readonly prepared: PreparedStatement<Row>;
  /** Where in the select list the id stands; -1 where the reader knows it. */
  readonly idIndex: number;
  /** Where the user stands whose row it is. */
  readonly userIdIndex: number;
}

/** The rows of one entity by their ids. */
export interface ByIdStatements<Row> {
  /** Takes `[tenantId, id]` and gives the row; its reader knows both. */
  readonly one: ByIdStatement<Row>;
  /** Takes `[tenantId, ids[]]` and gives the rows of these ids, in any order; its reader knows the tenant. */
  readonly several: ByIdStatement<Row>;
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
  /** Who asked for the same id before. */
  readonly before: Waiter<Row> | undefined;
}

interface Gathering<Row = unknown> {
  readonly key: string;
  readonly node: DatabaseNode;
  readonly tenantId: string;
  readonly statements: ByIdStatements<Row>;
  /** Per id who asked last. */
  readonly waiters: Map<string, Waiter<Row>>;
}

/**
 * Single rows by id. Those that one tenant asks for on one node in the same turn of the event loop become
 * one statement; who asks alone waits for nobody. No two callers get the same object.
 */
export class PointReads {
  #gatherings = new Map<string, Gathering>();
  #latest: Gathering | undefined;
  /** Connections that are opened meanwhile must not carry the scope of whoever happened to ask. */
  readonly #outsideOfScopes = AsyncLocalStorage.snapshot();
  #isScheduled = false;
  /** Statements sent and not answered yet. */
  #underWay = 0;

  /**
   * @param id in lower case, a UUID
   * @param userId whose row it must be; undefined: whoever's
   */
  find<Row>(
    node: DatabaseNode,
    tenantId: string,
    statements: ByIdStatements<Row>,
    id: string,
    userId: string | undefined,
  ): Promise<Row | null> {
    return new Promise((resolve, reject) => {
      const gathering = this.#gathering(node, tenantId, statements);
      const { waiters } = gathering;
      waiters.set(id, { userId, resolve, reject, before: waiters.get(id) });
      if (waiters.size < GATHERED_IDS_MAX) return;
      this.#gatherings.delete(gathering.key);
      if (this.#latest === gathering) this.#latest = undefined;
      this.#outsideOfScopes(() => void this.#send(gathering as Gathering));
    });
  }

  #gathering<Row>(node: DatabaseNode, tenantId: string, statements: ByIdStatements<Row>): Gathering<Row> {
    const latest = this.#latest;
    // Mostly it is the one that was asked for just before; of the same statements, it is of the same rows.
    if (latest?.node === node && latest.tenantId === tenantId && latest.statements === statements) {
      return latest as Gathering<Row>;
    }
    const key = `${node.id} ${statements.several.prepared.name} ${tenantId}`;
    let gathering = this.#gatherings.get(key);
    if (gathering === undefined) {
      gathering = { key, node, tenantId, statements, waiters: new Map() };
      this.#gatherings.set(key, gathering);
      this.#sendSoon();
    }
    this.#latest = gathering;
    return gathering as Gathering<Row>;
  }

  /** While nothing is under way there is nobody to wait for but who asks in this very callback. */
  #sendSoon(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    const sendAll = (): void => {
      this.#outsideOfScopes(() => {
        this.#sendAll();
      });
    };
    if (this.#underWay === 0) process.nextTick(sendAll);
    else setImmediate(sendAll);
  }

  async #send(gathering: Gathering): Promise<void> {
    this.#underWay += 1;
    await lookUp(gathering);
    this.#underWay -= 1;
  }

  #sendAll(): void {
    this.#isScheduled = false;
    this.#latest = undefined;
    const gatherings = this.#gatherings.values();
    // Not cleared: V8 links a map's table to its next one, and an old one would keep every later answer alive.
    this.#gatherings = new Map();
    for (const gathering of gatherings) void this.#send(gathering);
  }
}

/** Never rejects: every waiter is told. */
async function lookUp<Row>(gathering: Gathering<Row>): Promise<void> {
  const { waiters } = gathering;
  try {
    if (waiters.size === 1) await lookUpOne(gathering);
    else await lookUpSeveral(gathering);
    for (const waiter of waitersIn(waiters)) waiter.resolve(null);
  } catch (error) {
    for (const waiter of waitersIn(waiters)) waiter.reject(error);
  }
}

async function lookUpOne<Row>(gathering: Gathering<Row>): Promise<void> {
  const { node, tenantId, waiters } = gathering;
  const [id = ''] = waiters.keys();
  const { prepared, userIdIndex } = gathering.statements.one;
  const known = [tenantId, id];
  const { rows, read } = await node.read(tenantId, prepared, known);
  for (const fields of rows) tell(waiters, id, fields[userIdIndex], () => read(fields, known));
}

async function lookUpSeveral<Row>(gathering: Gathering<Row>): Promise<void> {
  const { node, tenantId, waiters } = gathering;
  const { prepared, idIndex, userIdIndex } = gathering.statements.several;
  const { rows, read } = await node.read(tenantId, prepared, [tenantId, [...waiters.keys()]]);
  const known = [tenantId];
  for (const fields of rows) {
    tell(waiters, fields[idIndex] ?? '', fields[userIdIndex], () => read(fields, known));
  }
}

/** Gives a row to all who wait for it; who may not see it is told that there is none. */
function tell<Row>(
  waiters: Map<string, Waiter<Row>>,
  id: string,
  userId: string | null | undefined,
  make: () => Row,
): void {
  for (let waiter = waiters.get(id); waiter !== undefined; waiter = waiter.before) {
    if (waiter.userId === undefined || waiter.userId === userId) answer(waiter, make);
    else waiter.resolve(null);
  }
  waiters.delete(id);
}

function* waitersIn<Row>(waiters: ReadonlyMap<string, Waiter<Row>>): Generator<Waiter<Row>> {
  for (const last of waiters.values()) {
    for (let waiter: Waiter<Row> | undefined = last; waiter !== undefined; waiter = waiter.before)
      yield waiter;
  }
}

/** A row that cannot be read fails those who asked for it, not their neighbours. */
function answer<Row>({ resolve, reject }: Waiter<Row>, make: () => Row): void {
  let row: Row;
  try {
    row = make();
  } catch (error) {
    reject(error);
    return;
  }
  resolve(row);
}
