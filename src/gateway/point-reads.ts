import { AsyncLocalStorage } from 'node:async_hooks';
import type { DatabaseNode } from '../sharding/connections/database-node.js';
import { valuesOf } from '../sharding/connections/parameter-values.js';
import type { PreparedStatement, RowReader } from '../sharding/connections/prepared-statement.js';
import type { ReadAnswer } from '../sharding/connections/scoped-read.js';

/** A statement for rows by id. */
export interface ByIdStatement<Row> {
  readonly prepared: PreparedStatement<Row>;
  /** Where in the select list the id stands; -1 where the reader knows it. */
  readonly idIndex: number;
  /** Where the user stands whose row it is. */
  readonly userIdIndex: number;
}

/** The row of an id, still as text, or no row, and what makes an object of it. */
export interface PointAnswer<Row> extends ReadAnswer<Row> {
  /** What the reader knows of the row. */
  readonly known: readonly string[];
  /** Whose row it is. */
  readonly userId: string | undefined;
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
  readonly resolve: (answer: PointAnswer<Row>) => void;
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
 * one statement; who asks alone waits for nobody. The statement is shared by all of the tenant's users: whoever
 * asked for one user's row compares.
 */
export class PointReads {
  #gatherings = new Map<string, Gathering>();
  #latest: Gathering | undefined;
  /** Connections that are opened meanwhile must not carry the scope of whoever happened to ask. */
  readonly #outsideOfScopes = AsyncLocalStorage.snapshot();
  #isScheduled = false;
  /** Statements sent and not answered yet. */
  #underWay = 0;

  /** @param id in lower case, a UUID */
  find<Row>(
    node: DatabaseNode,
    tenantId: string,
    statements: ByIdStatements<Row>,
    id: string,
  ): Promise<PointAnswer<Row>> {
    return new Promise((resolve, reject) => {
      const gathering = this.#gathering(node, tenantId, statements);
      const { waiters } = gathering;
      waiters.set(id, { resolve, reject, before: waiters.get(id) });
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
    const read = await (waiters.size === 1 ? lookUpOne(gathering) : lookUpSeveral(gathering));
    const none: PointAnswer<Row> = { rows: [], read, known: [], userId: undefined };
    for (const waiter of waitersIn(waiters)) waiter.resolve(none);
  } catch (error) {
    for (const waiter of waitersIn(waiters)) waiter.reject(error);
  }
}

async function lookUpOne<Row>(gathering: Gathering<Row>): Promise<RowReader<Row>> {
  const { node, tenantId, waiters } = gathering;
  const [id = ''] = waiters.keys();
  const { prepared, userIdIndex } = gathering.statements.one;
  const known = [tenantId, id];
  const { rows, read } = await node.read(tenantId, prepared, known);
  for (const row of rows) {
    tell(waiters, id, { rows: [row], read, known, userId: row[userIdIndex] ?? undefined });
  }
  return read;
}

async function lookUpSeveral<Row>(gathering: Gathering<Row>): Promise<RowReader<Row>> {
  const { node, tenantId, waiters } = gathering;
  const { prepared, idIndex, userIdIndex } = gathering.statements.several;
  const { rows, read } = await node.read(tenantId, prepared, valuesOf([tenantId, [...waiters.keys()]]));
  const known = [tenantId];
  for (const row of rows) {
    tell(waiters, row[idIndex] ?? '', { rows: [row], read, known, userId: row[userIdIndex] ?? undefined });
  }
  return read;
}

/** Gives a row to all who wait for it. */
function tell<Row>(waiters: Map<string, Waiter<Row>>, id: string, answer: PointAnswer<Row>): void {
  for (let waiter = waiters.get(id); waiter !== undefined; waiter = waiter.before) waiter.resolve(answer);
  waiters.delete(id);
}

function* waitersIn<Row>(waiters: ReadonlyMap<string, Waiter<Row>>): Generator<Waiter<Row>> {
  for (const last of waiters.values()) {
    for (let waiter: Waiter<Row> | undefined = last; waiter !== undefined; waiter = waiter.before)
      yield waiter;
  }
}
