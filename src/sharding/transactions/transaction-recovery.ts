import pLimit from 'p-limit';
import pg from 'pg';
import type { Log } from '../../common/log.js';
import { sqlStateOf } from '../connections/failure.js';
import { OwnConnection } from '../connections/own-connection.js';
import { NOTIFY_SQL } from '../connections/watched-commit.js';
import { decide, forgetRecords, oldRecords, readDecision, type Decision } from './commit-record.js';
import { preparedParts } from './prepared-list.js';

/** A transaction over several shards of which a part is prepared and not finished. */
export interface InDoubtTransaction {
  readonly gid: string;
  /** Where a part waits, as far as the shards answered. */
  readonly shardIds: readonly string[];
  /** Of its oldest part, by the server's clock. */
  readonly ageMs: number;
  /** Undefined where nothing is decided, or that is not known. */
  readonly decision: Decision | undefined;
}

/** What is in doubt, and which shards could not be asked. */
export interface InDoubtReport {
  readonly transactions: readonly InDoubtTransaction[];
  readonly missingShards: readonly string[];
}

/** What one run of recovery did. */
export interface RecoveryReport extends Pick<InDoubtReport, 'missingShards'> {
  /** Finished on all of these shards. */
  readonly recovered: readonly (InDoubtTransaction & { readonly decision: Decision })[];
  /** What has to wait, because a shard is away or somebody else is at it. */
  readonly left: readonly InDoubtTransaction[];
}

/** What recovery has to know and to reach. */
export interface RecoverySite {
  /** Shard to the url of its primary, with the gateway's own login. */
  readonly primaryUrls: ReadonlyMap<string, string>;
  /** @throws CatalogUnavailableError while it is not known */
  readonly installationId: () => string;
  /** What to notify on a shard so that every cache takes everything there for changed. */
  readonly noticesOf: (shardId: string) => readonly string[];
  readonly log: Log;
}

/** How recovery works; the times are for tests. */
export interface RecoveryOptions {
  /** How often it looks by itself, ms. Default 5,000. */
  readonly everyMs?: number;
  /** Younger transactions are left to their coordinator, ms. Default 5,000. */
  readonly olderThanMs?: number;
  /** How long records are kept that no coordinator removed, ms. Default 600,000. */
  readonly recordsKeptMs?: number;
}

/** Transactions older than this are recovered, where nobody says otherwise, ms. */
export const RECOVERY_AGE_MS = 5_000;

const EVERY_MS = 5_000;

/** Ten times as long as a coordinator may take to write its own record; see RECORD_PATIENCE_MS. */
const RECORDS_KEPT_MS = 600_000;

/** Records that are removed at once, and transactions that are recovered at once. */
const RECORDS_MAX = 1_000;
const CONCURRENCY = 8;

/** A record under way is waited for this long; then another look is due. */
const CONNECTION = { name: 'shardgate-recovery', answerMs: 5_000, lockMs: 2_000 };

/** SQLSTATE of finishing a prepared transaction that is not there. */
const IS_FINISHED = '42704';

/**
 * Finishes transactions over several shards whose coordinator did not. It does not guess whether that one is dead:
 * it decides for abort, unless it is decided already, and has every part follow the decision. Any number of
 * processes may do so at once, and the coordinator be alive.
 */
export class TransactionRecovery {
  readonly #site: RecoverySite;
  readonly #everyMs: number;
  readonly #olderThanMs: number;
  readonly #recordsKeptMs: number;
  readonly #connections: ReadonlyMap<string, OwnConnection>;
  readonly #finished: Record<Decision, number> = { commit: 0, abort: 0 };
  #inDoubt = 0;
  #timer: NodeJS.Timeout | undefined;
  #isStopped = false;

  constructor(
    site: RecoverySite,
    {
      everyMs = EVERY_MS,
      olderThanMs = RECOVERY_AGE_MS,
      recordsKeptMs = RECORDS_KEPT_MS,
    }: RecoveryOptions = {},
  ) {
    this.#site = site;
    this.#everyMs = everyMs;
    this.#olderThanMs = olderThanMs;
    this.#recordsKeptMs = recordsKeptMs;
    this.#connections = new Map(
      Array.from(site.primaryUrls, ([shardId, url]) => [shardId, new OwnConnection(url, CONNECTION)]),
    );
  }

  /** How many it had to leave when it looked last by itself, and how many it finished which way since it began. */
  get counts(): { readonly inDoubt: number; readonly finished: Readonly<Record<Decision, number>> } {
    return { inDoubt: this.#inDoubt, finished: this.#finished };
  }

  /** Looks now and from time to time. */
  start(): void {
    void this.#run();
  }

  /** Ends the looking, and what is under way. */
  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#timer);
    for (const connection of this.#connections.values()) connection.close();
  }

  /**
   * Finishes what is older than this, and removes records that nobody needs.
   *
   * @param olderThanMs by the server's clock; 0 interferes with transactions that are under way
   */
  async recover(olderThanMs = this.#olderThanMs): Promise<RecoveryReport> {
    const { transactions, missingShards } = await this.#look();
    const limit = pLimit(CONCURRENCY);
    const results = await Promise.all(
      transactions
        .filter(({ ageMs }) => ageMs >= olderThanMs)
        .map((transaction) => limit(() => this.#finish(transaction))),
    );
    if (missingShards.length === 0) await this.#removeOldRecords();
    return {
      recovered: results.flatMap(({ recovered }) => recovered ?? []),
      left: results.flatMap(({ left }) => left ?? []),
      missingShards,
    };
  }

  /** What is prepared and not finished at this moment; those that are under way included. */
  async inDoubt(): Promise<InDoubtReport> {
    const { transactions, missingShards } = await this.#look();
    const decisions = await Promise.all(
      transactions.map(async ({ gid, firstShardId }) => {
        const first = this.#connections.get(firstShardId);
        return first && (await readDecision(first, gid).catch(() => undefined));
      }),
    );
    return {
      transactions: transactions.map(({ gid, shardIds, ageMs }, index) => ({
        gid,
        shardIds,
        ageMs,
        decision: decisions[index],
      })),
      missingShards,
    };
  }

  /** Never rejects. */
  async #run(): Promise<void> {
    try {
      this.#tell(await this.recover());
    } catch (error) {
      const reason = error instanceof Error ? error.message : 'unknown';
      this.#site.log.debug({ reason }, 'transactions over several shards could not be looked at');
    }
    if (this.#isStopped) return;
    this.#timer = setTimeout(() => void this.#run(), this.#everyMs).unref();
  }

  #tell({ recovered, left }: RecoveryReport): void {
    this.#inDoubt = left.length;
    for (const { gid, decision, shardIds } of recovered) {
      this.#finished[decision] += 1;
      this.#site.log.info({ gid, decision, shards: shardIds }, 'a transaction in doubt was finished');
    }
    for (const { gid, decision, shardIds } of left) {
      this.#site.log.warn({ gid, decision, shards: shardIds }, 'a transaction is in doubt');
    }
  }

  /** All that is prepared, by gid. */
  async #look(): Promise<{ transactions: PreparedTransactions[]; missingShards: string[] }> {
    const installationId = this.#site.installationId();
    const byGid = new Map<string, PreparedTransactions>();
    const missingShards: string[] = [];
    await Promise.all(
      Array.from(this.#connections, async ([shardId, connection]) => {
        const parts = await preparedParts(connection, installationId).catch(() => undefined);
        if (parts === undefined) missingShards.push(shardId);
        for (const { gid, firstShardId, ageMs } of parts ?? []) {
          const known = byGid.get(gid);
          const shardIds = [...(known?.shardIds ?? []), shardId].sort();
          byGid.set(gid, { gid, firstShardId, shardIds, ageMs: Math.max(ageMs, known?.ageMs ?? 0) });
        }
      }),
    );
    return { transactions: [...byGid.values()], missingShards: missingShards.sort() };
  }

  async #finish({ firstShardId, ...transaction }: PreparedTransactions): Promise<Finished> {
    const { gid, shardIds } = transaction;
    let decision: Decision | undefined;
    try {
      const first = this.#connections.get(firstShardId);
      decision = first && (await decide(first, gid));
    } catch {
      // The first participant is away, or its own transaction is under way.
    }
    if (decision === undefined) return { left: { ...transaction, decision } };
    const follow = decision;
    const finished = await Promise.all(shardIds.map((shardId) => this.#finishOn(shardId, gid, follow)));
    const leftOn = shardIds.filter((_, index) => finished[index] !== true);
    return leftOn.length === 0
      ? { recovered: { ...transaction, decision } }
      : { left: { ...transaction, shardIds: leftOn, decision } };
  }

  /** Never rejects. @returns whether it is finished there, by whomever */
  async #finishOn(shardId: string, gid: string, decision: Decision): Promise<boolean> {
    const connection = this.#connections.get(shardId);
    if (connection === undefined) return false;
    const isCommit = decision === 'commit';
    const verb = isCommit ? 'COMMIT' : 'ROLLBACK';
    const [done] = await Promise.allSettled([
      connection.query(`${verb} PREPARED ${pg.escapeLiteral(gid)}`),
      // Sent with it: should this process end now, the server has it already, and tells all caches.
      isCommit && connection.query(NOTIFY_SQL, [this.#site.noticesOf(shardId)]),
    ]);
    return done.status === 'fulfilled' || sqlStateOf(done.reason) === IS_FINISHED;
  }

  /** What is prepared is looked at after the records are: a record that is seen has no part that is still to be. */
  async #removeOldRecords(): Promise<void> {
    const old = await Promise.all(
      Array.from(this.#connections, async ([shardId, connection]) => ({
        shardId,
        gids: await oldRecords(connection, this.#recordsKeptMs, RECORDS_MAX),
      })),
    );
    if (old.every(({ gids }) => gids.length === 0)) return;
    const { transactions, missingShards } = await this.#look();
    if (missingShards.length > 0) return;
    const needed = new Set(transactions.map(({ gid }) => gid));
    await Promise.all(
      old.map(async ({ shardId, gids }) => {
        const connection = this.#connections.get(shardId);
        if (connection !== undefined)
          await forgetRecords(
            connection,
            gids.filter((gid) => !needed.has(gid)),
          );
      }),
    );
  }
}

interface PreparedTransactions {
  readonly gid: string;
  readonly firstShardId: string;
  readonly shardIds: readonly string[];
  readonly ageMs: number;
}

interface Finished {
  readonly recovered?: RecoveryReport['recovered'][number];
  readonly left?: InDoubtTransaction;
}
