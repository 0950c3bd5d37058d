import pg from 'pg';
import type { SqlRow } from '../../common/sql-executor.js';
import { valuesOf } from './parameter-values.js';
import type { PooledConnection } from './connection-pool.js';
import type { RawRow } from './prepared-statement.js';
import { sendParse, sendRun } from './statement-messages.js';
import { columnsOf, rowOf, type AnswerColumn } from './text-result.js';

/** A statement of the library's own, which each connection parses once and then runs by its name. */
export interface NamedStatement {
  /** Unique in this process. */
  readonly name: string;
  readonly text: string;
}

/** One statement of a group, and who waits for it. */
export interface GroupedStatement extends NamedStatement {
  readonly params: readonly unknown[];
  readonly resolve: (rows: SqlRow[]) => void;
  readonly reject: (error: unknown) => void;
}

/** What each connection has parsed, and the columns of its rows. It ends with the connection. */
const parsedStatements = new WeakMap<pg.Connection, Map<string, readonly AnswerColumn[]>>();

/**
 * Statements that go out together and are answered together: with one Sync behind the last of them the server sends
 * all its answers at once, and wakes this process once. When one fails, those behind it are not run, and fail alike.
 *
 * It extends the driver's own query because a pipelined connection takes no other; nothing of it but the place in
 * the pipeline is used.
 */
class StatementGroup extends pg.Query {
  /** Set by the driver as well, which wraps it to time the query out. */
  callback: (error: Error | null) => void;
  /** Those not answered yet, in the order in which they run. */
  readonly #statements: GroupedStatement[];
  #parsed = new Map<string, readonly AnswerColumn[]>();
  /** Of the statement that is first now. */
  #rows: RawRow[] = [];

  constructor(statements: GroupedStatement[]) {
    super({ text: statements[0]?.text ?? '' });
    this.#statements = statements;
    this.callback = (failure) => {
      rejectAll(this.#statements, failure ?? new Error('The statement was not answered.'));
    };
    this.submit = (connection) => {
      this.#submit(connection);
    };
  }

  handleRowDescription({ fields }: { readonly fields: Parameters<typeof columnsOf>[0] }): void {
    this.#parsed.set(this.#statements[0]?.name ?? '', columnsOf(fields));
  }

  handleDataRow({ fields }: { readonly fields: RawRow }): void {
    this.#rows.push(fields);
  }

  handleCommandComplete(): void {
    const first = this.#statements.shift();
    const columns = this.#parsed.get(first?.name ?? '') ?? [];
    const rows = this.#rows;
    this.#rows = [];
    first?.resolve(rows.map((fields) => rowOf(fields, columns)));
  }

  handleError(error: Error): void {
    // Which of them the server has parsed is unknown now: each is closed and parsed anew next time.
    for (const { name } of this.#statements) this.#parsed.delete(name);
    this.callback(error);
  }

  handleReadyForQuery(): void {
    this.callback(null);
  }

  #submit(connection: pg.Connection): void {
    const parsed = parsedBy(connection);
    this.#parsed = parsed;
    for (const { name, text, params } of this.#statements) {
      if (!parsed.has(name)) {
        sendParse(connection, { name, text });
        connection.describe({ type: 'S', name }, true);
        parsed.set(name, []);
      }
      sendRun(connection, name, valuesOf(params));
    }
    connection.sync();
  }
}

/** Sends statements as one group; who waits for each is told. It never throws. */
export function sendGroup(connection: PooledConnection, statements: GroupedStatement[]): void {
  try {
    connection.query(new StatementGroup(statements));
  } catch (error) {
    rejectAll(statements, error);
  }
}

function rejectAll(statements: GroupedStatement[], error: unknown): void {
  for (const { reject } of statements.splice(0)) reject(error);
}

function parsedBy(connection: pg.Connection): Map<string, readonly AnswerColumn[]> {
  let parsed = parsedStatements.get(connection);
  if (parsed === undefined) {
    parsed = new Map();
    parsedStatements.set(connection, parsed);
  }
  return parsed;
}
