import { JOINED_UNHEARD_MS, QueryCache, type CacheRead } from '../../src/cache/query-cache.js';
import type { TableRows, WrittenRows } from '../../src/cache/table-rows.js';
import type { WriteFence } from '../../src/cache/write-fence.js';
import type { ShardPosition } from '../../src/common/shard-position.js';
import type { Command, ReadSpec, WriteSpec } from './cache-commands.js';

const SHARD_ID = 's0';
const REPLICAS = 2;
const TTL_MS = 1_800;

/** Enough for the cache to forget which rows were written last. */
const FLOOD_IDS = Array.from({ length: 20_001 }, (_, id) => `flood-${id}`);

interface Commit extends WriteSpec {
  readonly lsn: bigint;
}

interface Answer {
  readonly fill: Fill;
  /** What the node showed that answered. */
  readonly lsn: bigint;
}

/** A question to a database. */
interface Fill {
  readonly spec: ReadSpec;
  readonly node: number;
  readonly begunAt: number;
  readonly askedAt: number;
  readonly settle: { resolve: (answer: Answer) => void; reject: (error: Error) => void };
  shown: bigint | undefined;
}

interface OwnWrite {
  readonly spec: WriteSpec;
  readonly fence: WriteFence;
  commit: Commit | undefined;
}

/** What an answer to a read has to be, from when the read began. */
interface Demand {
  readonly spec: ReadSpec;
  readonly begunAt: number;
  readonly beganMs: number;
  readonly least: bigint;
  readonly clearedAt: number;
  readonly isHeard: boolean;
}

class DatabaseError extends Error {}

/** How often what happened, over all worlds: a model in which nothing is served says nothing. */
export const seen = { reads: 0, hits: 0, joins: 0, refused: 0, evictions: 0 };

/**
 * A shard with replicas that lag, this process with its cache, and other processes that write. It keeps count of
 * what each answer has to show, in the plainest way: from the list of all commits.
 */
export class CacheWorld {
  readonly #cache: QueryCache<Answer>;
  readonly #commits: Commit[] = [];
  readonly #replicas = new Array<bigint>(REPLICAS).fill(0n);
  readonly #fills: Fill[] = [];
  readonly #writes: OwnWrite[] = [];
  /** Of other processes, on their way. */
  readonly #notices: Commit[] = [];
  /** Commits of which this process knows, acknowledged here or heard of. */
  readonly #known: Commit[] = [];
  readonly #checked: Promise<void>[] = [];
  readonly #clearedAt = new Map<string, number>();
  #primary = 0n;
  #nowMs = 0;
  #step = 0;
  #isHeard = true;

  /** @param share the part of the cache that a tenant may fill: at 0.01 it is one answer */
  constructor(share: number) {
    this.#cache = new QueryCache<Answer>({
      maxBytes: 100_000,
      shareOf: () => share,
      ttlMs: TTL_MS,
      isEverywhere: ({ lsn }) => this.#replicas.every((shown) => shown >= lsn),
      isHeard: () => this.#isHeard,
      now: () => this.#nowMs,
    });
  }

  /** Does these one after the other, then lets everything end. Rejects if an answer was not what it has to be. */
  async run(commands: readonly Command[]): Promise<void> {
    for (const command of commands) {
      this.#step += 1;
      this.#do(command);
      // What ends has to have ended before the next command: microtasks of the cache come before this.
      await new Promise(setImmediate);
    }
    for (const fill of this.#fills.splice(0)) this.#end(fill, false);
    await Promise.all(this.#checked);
    const { hits, joins, misses, refused, evictions } = this.#cache.report();
    seen.reads += hits + joins + misses;
    seen.hits += hits;
    seen.joins += joins;
    seen.refused += refused;
    seen.evictions += evictions;
  }

  #do(command: Command): void {
    switch (command.do) {
      case 'read':
        this.#read(command.spec, command.node);
        break;
      case 'show':
        this.#show(pick(this.#fills, command.which));
        break;
      case 'end':
        this.#end(take(this.#fills, command.which), command.fails);
        break;
      case 'begin write': {
        const { spec } = command;
        const fence = this.#cache.beginWrite(placeOf(spec), writtenOf(spec));
        this.#writes.push({ spec, fence, commit: undefined });
        break;
      }
      case 'commit': {
        const write = pick(this.#writes, command.which);
        if (write !== undefined) write.commit ??= this.#commit(write.spec);
        break;
      }
      case 'tell outcome':
        this.#tellOutcome(take(this.#writes, command.which), command.isKept);
        break;
      case 'write elsewhere':
        this.#notices.push(this.#commit(command.spec));
        break;
      case 'hear':
        if (this.#isHeard) this.#learn(take(this.#notices, command.which));
        break;
      case 'replay': {
        const shown = this.#replicas[command.replica] ?? 0n;
        this.#replicas[command.replica] =
          shown + ((this.#primary - shown) * BigInt(Math.round(command.part * 100))) / 100n;
        break;
      }
      case 'turn deaf':
        this.#isHeard = false;
        break;
      case 'hear again':
        this.#hearAgain();
        break;
      case 'pass':
        this.#nowMs += command.ms;
        break;
      case 'clear':
        this.#cache.clear(command.tenantId);
        this.#clearedAt.set(command.tenantId ?? 'all', this.#step);
        break;
      case 'flood':
        this.#primary += 1n;
        this.#cache
          .beginWrite({ shardId: SHARD_ID, tenantId: 'flood' }, [{ table: 'flood', ids: FLOOD_IDS }])
          .committed(this.#position(this.#primary));
        break;
    }
  }

  /** As a repository does it. */
  #read(spec: ReadSpec, node: number): void {
    const token = spec.token === undefined ? undefined : pick(this.#commits, spec.token)?.lsn;
    const demand: Demand = {
      spec,
      begunAt: this.#step,
      beganMs: this.#nowMs,
      least: this.#known
        .filter((commit) => isMadeOf(spec, commit))
        .reduce((least, { lsn }) => (lsn > least ? lsn : least), token ?? 0n),
      clearedAt: Math.max(this.#clearedAt.get('all') ?? 0, this.#clearedAt.get(spec.tenantId) ?? 0),
      isHeard: this.#isHeard,
    };
    const read: CacheRead = {
      ...placeOf(spec),
      // It leaves its tenant out on purpose.
      statement: spec.table,
      key: `${SHARD_ID} ${spec.ids?.join() ?? 'all'}`,
      required: token === undefined ? undefined : this.#position(token),
      ttlMs: spec.ttlMs,
    };
    const kept = this.#cache.lookUp(read);
    if (kept !== undefined) {
      this.#check(demand, kept.answer);
      if (!this.#isHeard) throw new Error('It was kept, unheard.');
      // While a commit is under way, others may have seen what it writes.
      if (this.#writes.some((write) => isMadeOf(spec, write.spec))) throw new Error('It was being written.');
      return;
    }
    const answer = this.#cache.fill(read, tablesOf(spec), async (least) => {
      const given = await this.#ask(spec, node, least?.lsn ?? 0n);
      return { answer: given, bytes: 60 };
    });
    this.#checked.push(
      answer.then(
        (given) => {
          this.#check(demand, given);
        },
        (error: unknown) => {
          if (!(error instanceof DatabaseError)) throw error;
        },
      ),
    );
  }

  #ask(spec: ReadSpec, node: number, least: bigint): Promise<Answer> {
    const able = [...this.#replicas.keys()].filter((replica) => (this.#replicas[replica] ?? 0n) >= least);
    const chosen = [...able, REPLICAS][node % (able.length + 1)] ?? REPLICAS;
    return new Promise((resolve, reject) => {
      this.#fills.push({
        spec,
        node: chosen,
        begunAt: this.#step,
        askedAt: this.#nowMs,
        settle: { resolve, reject },
        shown: undefined,
      });
    });
  }

  /** The database takes its snapshot. */
  #show(fill: Fill | undefined): void {
    if (fill !== undefined) fill.shown ??= this.#replicas[fill.node] ?? this.#primary;
  }

  #end(fill: Fill | undefined, fails: boolean): void {
    if (fill === undefined) return;
    this.#show(fill);
    if (fails) fill.settle.reject(new DatabaseError());
    else fill.settle.resolve({ fill, lsn: fill.shown ?? 0n });
  }

  #commit(spec: WriteSpec): Commit {
    this.#primary += 1n;
    const commit = { ...spec, lsn: this.#primary };
    this.#commits.push(commit);
    return commit;
  }

  #tellOutcome(write: OwnWrite | undefined, isKept: boolean): void {
    if (write === undefined) return;
    if (write.commit === undefined && !isKept) {
      write.fence.undone();
      return;
    }
    write.commit ??= this.#commit(write.spec);
    write.fence.committed(this.#position(this.#primary));
    this.#known.push(write.commit);
  }

  #learn(commit: Commit | undefined): void {
    if (commit === undefined) return;
    this.#cache.beginWrite(placeOf(commit), writtenOf(commit)).committed(this.#position(commit.lsn));
    this.#known.push(commit);
  }

  #hearAgain(): void {
    if (this.#isHeard) return;
    this.#cache.beginUnheard(SHARD_ID).committed(this.#position(this.#primary));
    this.#known.push(...this.#notices.splice(0));
    this.#isHeard = true;
  }

  #check({ spec, begunAt, beganMs, least, clearedAt, isHeard }: Demand, { fill, lsn }: Answer): void {
    const fail = (what: string): never => {
      throw new Error(`A read that began at step ${begunAt} got ${what}, asked for at ${fill.begunAt}.`);
    };
    const { tenantId, table, ids } = fill.spec;
    if (tenantId !== spec.tenantId) fail('what is of another tenant');
    if (table !== spec.table || ids?.join() !== spec.ids?.join()) fail('what answers something else');
    const missed = this.#commits.find(
      (commit) => isMadeOf(spec, commit) && commit.lsn > lsn && commit.lsn <= least,
    );
    if (missed !== undefined) fail(`an answer without write ${missed.lsn}, as of ${lsn}`);
    if (fill.begunAt <= clearedAt) fail('what was cleared');
    if (!isHeard && fill.begunAt < begunAt && beganMs - fill.askedAt >= JOINED_UNHEARD_MS) {
      fail('what was joined late, unheard');
    }
    if (fill.begunAt < begunAt && beganMs - fill.askedAt >= Math.min(TTL_MS, spec.ttlMs ?? TTL_MS)) {
      fail('what was too old');
    }
  }

  #position(lsn: bigint): ShardPosition {
    return { shardId: SHARD_ID, timeline: 1, lsn };
  }
}

/** Whether an answer may show this write. */
function isMadeOf(read: ReadSpec, write: WriteSpec): boolean {
  if (read.tenantId !== write.tenantId || read.table !== write.table) return false;
  return read.ids?.some((id) => write.ids.includes(id)) ?? true;
}

function placeOf({ tenantId }: { tenantId: string }): { shardId: string; tenantId: string } {
  return { shardId: SHARD_ID, tenantId };
}

function tablesOf({ table, ids }: ReadSpec): TableRows[] {
  return [{ table, ids }];
}

/** What the cache is told of a write: all that it needs, or less exactly. */
function writtenOf({ table, ids, told }: WriteSpec): WrittenRows {
  if (told === 'anything') return 'anything';
  return [{ table, ids: told === 'rows' ? ids : undefined }];
}

function pick<T>(list: readonly T[], which: number): T | undefined {
  return list[which % list.length];
}

function take<T>(list: T[], which: number): T | undefined {
  return list.length === 0 ? undefined : list.splice(which % list.length, 1)[0];
}
