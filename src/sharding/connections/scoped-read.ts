import pg from 'pg';
import type { ConnectionSource, PooledConnection } from './connection-pool.js';
import { isConnectionFailure } from './failure.js';
import type { ParameterValue } from './parameter-values.js';
import type { PreparedStatement, RawRow, RowReader } from './prepared-statement.js';
import { takeRows } from './row-messages.js';
import { sendParse, sendRun } from './statement-messages.js';

/** The rows of a prepared read, still as text, and what makes values of them. */
export interface ReadAnswer<Row> {
  readonly rows: readonly RawRow[];
  readonly read: RowReader<Row>;
}

/** One read of a group: the values of its parameters, and who waits for it. */
export interface GroupedRead<Row> {
  readonly params: readonly ParameterValue[];
  readonly resolve: (answer: ReadAnswer<Row>) => void;
  readonly reject: (error: unknown) => void;
}

/** What policies read; transaction-local, so it is gone with the read. */
const SCOPE = { name: 'shardgate_scope', text: `SELECT set_config('shardgate.tenant_id', $1, true)` };

/** The same for statements that are planned once. */
const ONE_PLAN_SCOPE = {
  name: 'shardgate_one_plan_scope',
  text: `SELECT set_config('shardgate.tenant_id', $1, true), set_config('plan_cache_mode', 'force_generic_plan', true)`,
};

/** Statements that one connection keeps parsed; beyond it the oldest is closed. */
const KEPT_STATEMENTS_MAX = 200;

/** What each connection has parsed, and how to read its rows. It ends with the connection. */
const keptStatements = new WeakMap<pg.Connection, Map<string, RowReader<unknown> | undefined>>();

/**
 * Prepared reads of one statement in the name of one tenant, as a single group of the extended protocol: name
 * the tenant, run the statement once for each read, Sync. The server takes what stands between two Syncs for
 * one transaction, so the setting holds for the statement and is gone after it, without BEGIN and COMMIT.
 * Each read is answered as soon as its own rows are there.
 *
 * It extends the driver's own query because a pipelined connection takes no other; nothing of it but the
 * place in the pipeline is used.
 */
class ScopedReads<Row> extends pg.Query {
  /** Set by the driver as well, which wraps it to time the query out. */
  callback: (error: Error | null) => void;
  readonly #tenantId: string;
  readonly #statement: PreparedStatement<Row>;
  readonly #scope: typeof SCOPE;
  /** Those not answered yet, in the order in which they run. */
  readonly #reads: GroupedRead<Row>[];
  #onEnd: (failure: Error | null) => void;
  /** Of the read that is first now. */
  #rows: RawRow[] = [];
  #kept: Map<string, RowReader<unknown> | undefined> | undefined;
  #reader: RowReader<Row> | undefined;
  #inScope = false;

  /** @param onEnd hears, once, of the reads that were not answered, and of what the first of them failed with */
  constructor(
    tenantId: string,
    statement: PreparedStatement<Row>,
    reads: GroupedRead<Row>[],
    onEnd: (failure: Error | null) => void,
  ) {
    super({ text: statement.text });
    this.#tenantId = tenantId;
    this.#statement = statement;
    this.#scope = statement.hasOnePlan ? ONE_PLAN_SCOPE : SCOPE;
    this.#reads = reads;
    this.#onEnd = onEnd;
    this.callback = (failure) => {
      this.#end(failure);
    };
    this.submit = (connection) => {
      this.#submit(connection);
    };
  }

  handleRowDescription({ fields }: { readonly fields: readonly { readonly dataTypeID: number }[] }): void {
    this.#reader = this.#statement.readerFor(fields.map(({ dataTypeID }) => dataTypeID));
    this.#kept?.set(this.#statement.name, this.#reader);
  }

  handleDataRow({ fields }: { readonly fields: RawRow }): void {
    // The first row is what set_config answers; the others come this way only if the driver has them at all.
    if (this.#inScope) this.#rows.push(fields);
  }

  handleCommandComplete(_: unknown, connection: pg.Connection): void {
    if (this.#inScope) this.#answer();
    this.#inScope = true;
    const rows: RawRow[] = [];
    this.#rows = rows;
    takeRows(connection, (row) => rows.push(row));
  }

  handleError(error: Error, connection: pg.Connection): void {
    takeRows(connection, undefined);
    // Which of the two the server has parsed is unknown now: each is closed and parsed anew next time.
    this.#kept?.delete(this.#scope.name);
    this.#kept?.delete(this.#statement.name);
    this.callback(error);
  }

  handleReadyForQuery(connection: pg.Connection): void {
    takeRows(connection, undefined);
    this.callback(null);
  }

  /**
   * Tells the first who waits, and lets go of it and of the rows. Without that, what an ended read leads to
   * outlives it until a full collection, and each small one copies it: measured, 7 ms each instead of less
   * than 1 ms. It looks as if V8 made these objects in its old generation, which small collections do not
   * clear.
   */
  #answer(): void {
    const first = this.#reads.shift();
    const rows = this.#rows;
    this.#rows = [];
    if (this.#reader === undefined) first?.reject(new Error('The statement gives no rows.'));
    else first?.resolve({ rows, read: this.#reader });
  }

  #end(failure: Error | null): void {
    this.#rows = [];
    const onEnd = this.#onEnd;
    this.#onEnd = ignore;
    onEnd(failure);
  }

  #submit(connection: pg.Connection): void {
    const kept = keptBy(connection);
    this.#kept = kept;
    if (!kept.has(this.#scope.name)) parse(connection, kept, this.#scope);
    sendRun(connection, this.#scope.name, [this.#tenantId]);
    const { name } = this.#statement;
    this.#reader = kept.get(name) as RowReader<Row> | undefined;
    if (this.#reader === undefined) {
      parse(connection, kept, this.#statement);
      connection.describe({ type: 'S', name }, true);
    }
    for (const { params } of this.#reads) sendRun(connection, name, params);
    connection.sync();
  }
}

/**
 * Runs prepared reads of one statement in the name of a tenant, one after the other, on a connection that is
 * lent for them. Who waits is told of each. A read that fails fails nobody else's, unless the connection is gone.
 * It never rejects.
 *
 * @param reads of which those are taken out that somebody was told of: what is left was not run, because one
 *   before it failed
 * @returns how long the connection was in use, ms
 */
export async function readScoped<Row>(
  source: ConnectionSource,
  tenantId: string,
  statement: PreparedStatement<Row>,
  reads: GroupedRead<Row>[],
): Promise<number> {
  let connection: PooledConnection;
  try {
    connection = await source.acquire();
  } catch (error) {
    rejectAll(reads, error);
    return 0;
  }
  const startedAt = performance.now();
  const failure = await new Promise<unknown>((resolve) => {
    try {
      connection.query(new ScopedReads(tenantId, statement, reads, resolve));
    } catch (error) {
      resolve(error);
    }
  });
  const broken = isConnectionFailure(failure);
  source.release(connection, broken);
  if (broken) rejectAll(reads, failure);
  else reads.shift()?.reject(failure ?? new Error('The read was not answered.'));
  return performance.now() - startedAt;
}

/** Runs one prepared read by itself, at once. */
export function readAlone<Row>(
  source: ConnectionSource,
  tenantId: string,
  statement: PreparedStatement<Row>,
  params: readonly ParameterValue[],
): Promise<ReadAnswer<Row>> {
  return new Promise((resolve, reject) => {
    void readScoped(source, tenantId, statement, [{ params, resolve, reject }]);
  });
}

function rejectAll(reads: GroupedRead<never>[], error: unknown): void {
  for (const { reject } of reads.splice(0)) reject(error);
}

function ignore(): void {
  // The end of a group is told once.
}

function keptBy(connection: pg.Connection): Map<string, RowReader<unknown> | undefined> {
  let kept = keptStatements.get(connection);
  if (kept === undefined) {
    kept = new Map();
    keptStatements.set(connection, kept);
  }
  return kept;
}

function parse(
  connection: pg.Connection,
  kept: Map<string, RowReader<unknown> | undefined>,
  { name, text }: { readonly name: string; readonly text: string },
): void {
  sendParse(connection, { name, text });
  kept.set(name, undefined);
  if (kept.size <= KEPT_STATEMENTS_MAX) return;
  for (const oldest of kept.keys()) {
    if (oldest === SCOPE.name || oldest === ONE_PLAN_SCOPE.name || oldest === name) continue;
    kept.delete(oldest);
    connection.close({ type: 'S', name: oldest }, true);
    break;
  }
}
