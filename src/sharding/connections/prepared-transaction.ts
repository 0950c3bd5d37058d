import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import type { ConnectionSource, PooledConnection } from './connection-pool.js';
import { isConnectionFailure, sqlStateOf } from './failure.js';
import type { TransactionWatch } from './tenant-session.js';
import {
  COMMITTED_POSITION_SQL,
  committedPosition,
  NOTIFY_SQL,
  type CommittedRow,
} from './watched-commit.js';

/** SQLSTATE of finishing a prepared transaction that is not there: somebody has finished it. */
const IS_FINISHED = '42704';

/** SQLSTATE of finishing one that somebody else is finishing at this moment. */
const IS_BUSY = '55000';

/** How often it is tried, over connections of its own after the first, and the pause in between, ms. */
const ATTEMPTS_MAX = 4;
const PAUSE_MS = 50;

type Finish = 'COMMIT' | 'ROLLBACK';

/**
 * A transaction that waits to be finished, and keeps its connection until then. Exactly one of its methods is
 * called, once.
 */
export class PreparedTransaction {
  readonly #gid: string;
  readonly #source: ConnectionSource;
  readonly #watch: TransactionWatch | undefined;
  #connection: PooledConnection | undefined;

  /** @param connection the one that has prepared it */
  constructor(
    gid: string,
    source: ConnectionSource,
    connection: PooledConnection,
    watch: TransactionWatch | undefined,
  ) {
    this.#gid = gid;
    this.#source = source;
    this.#connection = connection;
    this.#watch = watch;
  }

  /** Never rejects. @returns whether it is committed now; otherwise it is left to recovery */
  commit(): Promise<boolean> {
    return this.#finish('COMMIT');
  }

  /** Never rejects. @returns whether it is rolled back now; otherwise it is left to recovery */
  rollback(): Promise<boolean> {
    return this.#finish('ROLLBACK');
  }

  /** Leaves it to recovery. What it wrote is served from no cache until that has finished it. */
  leave(): void {
    this.#giveBack(false);
    // The process that prepared it is done with it; whoever finishes it does so before it is gone.
    this.#watch?.unknown(0, this.#gid);
  }

  async #finish(verb: Finish): Promise<boolean> {
    for (let attempt = 1; attempt <= ATTEMPTS_MAX; attempt += 1) {
      try {
        this.#connection ??= await this.#source.acquire();
        await this.#tryOn(this.#connection, verb);
        this.#giveBack(false);
        return true;
      } catch (error) {
        this.#giveBack(isConnectionFailure(error));
        if (!isConnectionFailure(error) && sqlStateOf(error) !== IS_BUSY) break;
      }
      await sleep(PAUSE_MS, undefined, { ref: false });
    }
    this.leave();
    return false;
  }

  async #tryOn(connection: PooledConnection, verb: Finish): Promise<void> {
    const [done, position] = await Promise.allSettled([
      connection.query(`${verb} PREPARED ${pg.escapeLiteral(this.#gid)}`),
      connection.query<CommittedRow>(COMMITTED_POSITION_SQL),
    ]);
    // Where recovery was faster it has done the same: both go by the commit record.
    if (done.status === 'rejected' && sqlStateOf(done.reason) !== IS_FINISHED) throw done.reason;
    if (verb === 'ROLLBACK') {
      this.#watch?.undone();
      return;
    }
    // Tried again, it is finished already, and the position lies behind it as well.
    if (position.status === 'rejected') throw position.reason;
    const [row] = position.value.rows;
    const notices = (row && this.#watch?.committed(committedPosition(row))) ?? [];
    // It is kept, whatever becomes of this.
    if (notices.length > 0) await connection.query(NOTIFY_SQL, [notices]).catch(() => undefined);
  }

  #giveBack(isBroken: boolean): void {
    if (this.#connection !== undefined) this.#source.release(this.#connection, isBroken);
    this.#connection = undefined;
  }
}
