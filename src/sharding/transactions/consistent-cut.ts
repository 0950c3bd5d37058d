import { setTimeout as sleep } from 'node:timers/promises';
import { ShardUnavailableError } from '../../common/gateway-error.js';
import { isConnectionFailure, sqlStateOf } from '../connections/failure.js';
import { OwnConnection } from '../connections/own-connection.js';
import { preparedParts } from './prepared-list.js';

/** What a cut has to know. */
export interface CutSite {
  /** Shard to the url of its primary, with the gateway's own login. */
  readonly primaryUrls: ReadonlyMap<string, string>;
  /** @throws CatalogUnavailableError while it is not known */
  readonly installationId: () => string;
}

/** It waits for commit records that are being inserted, and new ones wait for it. */
const LOCK_SQL = 'LOCK TABLE shardgate.commit_records IN SHARE MODE';

const COMMITTED_SQL = `
  SELECT gid FROM shardgate.commit_records WHERE gid = ANY ($1::text[]) AND decision = 'commit'`;

/** The lock gives way before transactions do: their statements wait longer for locks. */
const CONNECTION = { name: 'shardgate-cut', answerMs: 10_000, lockMs: 1_000 };

const LOCK_NOT_AVAILABLE = '55P03';

/** How long commits are held up while those that are decided are finished, and how often it is looked, ms. */
const DRAIN_MS = 500;
const LOOK_MS = 3;

/** How long commits go on between two attempts, ms. */
const PAUSE_MS = 50;

/** A part that is decided to be committed, and is not yet. */
interface Unfinished {
  readonly shardId: string;
  readonly gid: string;
}

/**
 * Moments at which no transaction over several shards is committed on one shard and not on another. While the
 * commit records of all shards are locked nothing is decided; when what was decided is finished as well, every
 * transaction is visible on all of its shards or on none.
 */
export class ConsistentCut {
  readonly #site: CutSite;

  constructor(site: CutSite) {
    this.#site = site;
  }

  /**
   * Runs `open` once, at such a moment.
   *
   * @param shardIds those that are cut through
   * @param deadlineMs from now
   * @param open opens the snapshots; quick, since commits over several shards wait for it
   * @throws ShardUnavailableError when there was no such moment in time; it says what is in doubt
   */
  async at<T>(shardIds: readonly string[], deadlineMs: number, open: () => Promise<T>): Promise<T> {
    if (shardIds.length < 2) return open();
    const untilMs = performance.now() + deadlineMs;
    const connections = new Map(
      shardIds.map((shardId) => [
        shardId,
        new OwnConnection(this.#site.primaryUrls.get(shardId) ?? '', CONNECTION),
      ]),
    );
    try {
      for (;;) {
        const outcome = await this.#attempt(connections, open);
        if ('opened' in outcome) return outcome.opened;
        if (performance.now() >= untilMs) throw noCut(outcome.obstacle);
        await sleep(PAUSE_MS);
      }
    } finally {
      for (const connection of connections.values()) connection.close();
    }
  }

  async #attempt<T>(
    connections: ReadonlyMap<string, OwnConnection>,
    open: () => Promise<T>,
  ): Promise<{ readonly opened: T } | { readonly obstacle: Obstacle }> {
    try {
      const locked = await inOrder(connections, lock);
      if (locked !== undefined) return { obstacle: { shardId: locked } };
      const unfinished = await this.#drained(connections);
      if (unfinished !== undefined) return { obstacle: unfinished };
      const opened = await open();
      // A connection that broke meanwhile has let go of its lock.
      await Promise.all(Array.from(connections, ([shardId, connection]) => stillLocked(shardId, connection)));
      return { opened };
    } finally {
      await Promise.all(
        Array.from(connections.values(), (connection) => connection.query('ROLLBACK').catch(() => undefined)),
      );
    }
  }

  /** @returns a part that was not finished in time */
  async #drained(connections: ReadonlyMap<string, OwnConnection>): Promise<Unfinished | undefined> {
    const untilMs = performance.now() + DRAIN_MS;
    for (;;) {
      const [unfinished] = await this.#unfinished(connections);
      if (unfinished === undefined || performance.now() >= untilMs) return unfinished;
      await sleep(LOOK_MS);
    }
  }

  async #unfinished(connections: ReadonlyMap<string, OwnConnection>): Promise<Unfinished[]> {
    const installationId = this.#site.installationId();
    const parts = await Promise.all(
      Array.from(connections, async ([shardId, connection]) => {
        const prepared = await orAway(shardId, preparedParts(connection, installationId));
        return prepared.map(({ gid, firstShardId }) => ({ shardId, gid, firstShardId }));
      }),
    );
    const all = parts.flat();
    const firstShardIds = [...new Set(all.map(({ firstShardId }) => firstShardId))];
    const committed = await Promise.all(
      firstShardIds.map(async (firstShardId) => {
        const gids = all.filter((part) => part.firstShardId === firstShardId).map(({ gid }) => gid);
        // One whose first participant is not cut through is of another tenant.
        const connection = connections.get(firstShardId);
        if (connection === undefined) return [];
        return orAway(firstShardId, connection.query<{ gid: string }>(COMMITTED_SQL, [gids]));
      }),
    );
    const decided = new Set(committed.flat().map(({ gid }) => gid));
    return all.filter(({ gid }) => decided.has(gid));
  }
}

/** Why there was no cut: a part that is in doubt, or a shard on which commits are under way all the time. */
interface Obstacle {
  readonly shardId: string;
  readonly gid?: string;
}

/** @returns the shard whose lock could not be had; the others are as they are then */
async function inOrder(
  connections: ReadonlyMap<string, OwnConnection>,
  run: (connection: OwnConnection) => Promise<boolean>,
): Promise<string | undefined> {
  for (const [shardId, connection] of connections) {
    if (!(await orAway(shardId, run(connection)))) return shardId;
  }
  return undefined;
}

async function lock(connection: OwnConnection): Promise<boolean> {
  try {
    await Promise.all([connection.query('BEGIN'), connection.query(LOCK_SQL)]);
    return true;
  } catch (error) {
    if (sqlStateOf(error) === LOCK_NOT_AVAILABLE) return false;
    throw error;
  }
}

async function stillLocked(shardId: string, connection: OwnConnection): Promise<void> {
  // Anew, it would be no transaction any more: then there is no such savepoint to be had.
  await connection.query('SAVEPOINT opened').catch((error: unknown) => {
    throw isAway(shardId, error);
  });
}

/** @throws ShardUnavailableError when the connection to that shard was lost */
async function orAway<T>(shardId: string, answer: Promise<T>): Promise<T> {
  try {
    return await answer;
  } catch (error) {
    throw isConnectionFailure(error) ? isAway(shardId, error) : error;
  }
}

function isAway(shardId: string, cause: unknown): ShardUnavailableError {
  return new ShardUnavailableError(shardId, 'its primary does not answer; try again shortly.', cause);
}

function noCut({ shardId, gid }: Obstacle): ShardUnavailableError {
  return new ShardUnavailableError(
    shardId,
    gid === undefined
      ? 'transactions over several shards are being committed there without a pause; no consistent cut could be made. Try again.'
      : `the transaction ${gid} is in doubt there; no consistent cut can be made until recovery has finished it. ` +
          'Try again shortly, or run shardgate recover.',
  );
}
