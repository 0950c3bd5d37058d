import { Socket } from 'node:net';
import pg from 'pg';
import type { SqlRow } from '../../common/sql-executor.js';
import { isConnectionFailure, sqlStateOf } from './failure.js';

/** How long one connection is used: a server whose main process hangs serves old ones, and takes no new ones. */
const RENEW_MS = 5_000;

/** Into how many slices a deadline is cut. See {@link answeredWithin}. */
const DEADLINE_SLICES = 10;

/** The node let its deadline pass: it hangs, as opposed to refusing. */
export class NoAnswerError extends Error {
  constructor(deadlineMs: number) {
    super(`The server did not answer within ${deadlineMs} ms.`);
    this.name = 'NoAnswerError';
  }
}

interface Connection {
  readonly client: pg.Client;
  /** Destroyed by us when the server hangs: it would never close it itself. */
  readonly socket: Socket;
  /** When it is to be replaced. */
  renewAtMs: number;
}

/**
 * A connection to one node that is used for nothing but asking how it is: no pool can be too full for it, and
 * no statement of a caller's can be in its way. It connects by itself, again and again.
 */
export class NodeProbe {
  readonly #url: string;
  readonly #deadlineMs: number;
  readonly #onLost: () => void;
  #connection: Connection | undefined;
  #opening: Connection | undefined;
  #isClosed = false;

  /**
   * @param deadlineMs how long one answer may take, with connecting if there is need
   * @param onLost called when the connection breaks while nothing is asked
   */
  constructor(url: string, deadlineMs: number, onLost: () => void) {
    this.#url = url;
    this.#deadlineMs = deadlineMs;
    this.#onLost = onLost;
  }

  /**
   * Asks one thing; one call at a time.
   *
   * @param afresh over a new connection, because the node is in doubt
   * @returns the first row
   * @throws NoAnswerError when the deadline passes
   * @throws what the driver throws when the node refuses, also over a new connection
   */
  async ask<Row extends SqlRow>(sql: string, afresh: boolean): Promise<Row> {
    try {
      return await answeredWithin(this.#deadlineMs, this.#ask<Row>(sql, afresh));
    } catch (error) {
      if (error instanceof NoAnswerError) this.#giveUp();
      throw error;
    }
  }

  /** Closes the connection for good. What is asked meanwhile, or later, fails. */
  async close(): Promise<void> {
    this.#isClosed = true;
    const open = this.#connection;
    this.#connection = undefined;
    this.#giveUp();
    if (open === undefined) return;
    const ended = open.client.end();
    // A server that hangs would never close its end.
    open.socket.destroySoon();
    await ended;
  }

  async #ask<Row extends SqlRow>(sql: string, afresh: boolean): Promise<Row> {
    const known = this.#connection;
    const connection =
      known === undefined || afresh || known.renewAtMs < performance.now() ? await this.#renew(known) : known;
    try {
      return await firstRow<Row>(connection, sql);
    } catch (error) {
      if (connection !== known || !isConnectionFailure(error)) throw error;
      // It may have been this connection alone, which an administrator ended.
      return firstRow<Row>(await this.#renew(undefined), sql);
    }
  }

  /** Connects anew; keeps the known connection when the server answers that it has no room for another one. */
  async #renew(known: Connection | undefined): Promise<Connection> {
    try {
      const opened = await this.#open();
      this.#assertOpen(opened);
      void known?.client.end();
      this.#connection = opened;
      return opened;
    } catch (error) {
      if (known === undefined || known !== this.#connection || !isServersOwn(error)) throw error;
      known.renewAtMs = performance.now() + RENEW_MS;
      return known;
    }
  }

  /** What was asked when it was closed is not asked again over a connection that nobody would close. */
  #assertOpen(opened?: Connection): void {
    if (!this.#isClosed) return;
    opened?.socket.destroy();
    throw new Error('The probe is closed.');
  }

  async #open(): Promise<Connection> {
    this.#assertOpen();
    const socket = new Socket();
    const client = new pg.Client({
      connectionString: this.#url,
      application_name: 'shardgate-probe',
      keepAlive: true,
      stream: () => socket,
    });
    const connection = { client, socket, renewAtMs: performance.now() + RENEW_MS };
    client.on('error', ignore);
    client.once('end', () => {
      if (this.#connection !== connection) return;
      this.#connection = undefined;
      this.#onLost();
    });
    this.#opening = connection;
    try {
      await client.connect();
    } catch (error) {
      socket.destroy();
      throw error;
    }
    if (this.#opening === connection) this.#opening = undefined;
    // Between two questions it keeps no program from ending.
    socket.unref();
    return connection;
  }

  #giveUp(): void {
    const connections = [this.#opening, this.#connection];
    this.#opening = undefined;
    this.#connection = undefined;
    for (const connection of connections) connection?.socket.destroy();
  }
}

async function firstRow<Row extends SqlRow>({ client }: Connection, sql: string): Promise<Row> {
  const { rows } = await client.query<Row>(sql);
  const [row] = rows;
  if (row === undefined) throw new Error('The server answered without a row.');
  return row;
}

/** Whether the server itself answered: five characters, unlike the codes of sockets. */
function isServersOwn(error: unknown): boolean {
  return sqlStateOf(error)?.length === 5;
}

/**
 * Waits for an answer, but no longer than the deadline. Only time in which this process was able to receive
 * it counts: the deadline is cut into slices, and an event loop that was busy for longer uses up one of them
 * at most; an answer that has arrived by the end is still taken.
 */
function answeredWithin<T>(deadlineMs: number, answer: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    let slicesLeft = DEADLINE_SLICES;
    let timer: NodeJS.Timeout | undefined;
    const giveUp = (): void => {
      reject(new NoAnswerError(deadlineMs));
    };
    const wait = (): void => {
      slicesLeft -= 1;
      if (slicesLeft >= 0) timer = setTimeout(wait, deadlineMs / DEADLINE_SLICES);
      // Sockets are read between two immediates.
      else setImmediate(() => setImmediate(giveUp));
    };
    wait();
    answer.then(resolve, reject).finally(() => {
      clearTimeout(timer);
    });
  });
}

function ignore(): void {
  // What is asked fails with the same reason; what breaks in between is seen by 'end'.
}
