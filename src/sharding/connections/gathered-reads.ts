import { AsyncLocalStorage } from 'node:async_hooks';
import type { ConnectionSource } from './connection-pool.js';
import type { PreparedStatement } from './prepared-statement.js';
import type { ParameterValue } from './parameter-values.js';
import { readScoped, type GroupedRead, type ReadAnswer } from './scoped-read.js';

/** Reads of one group: beyond that each costs about as much as by itself. */
const GROUP_MAX = 8;

/** What a group of reads should take, ms: so much can the last of them lose by not going alone. */
const GROUP_MS = 10;

interface Group<Row = unknown> {
  readonly key: string;
  readonly tenantId: string;
  readonly statement: PreparedStatement<Row>;
  readonly reads: GroupedRead<Row>[];
}

/**
 * Reads that share their way to one node. Those of one statement that one tenant asks for in the same turn of
 * the event loop become one group, with one connection, one naming of the tenant and one transaction between
 * them: a third of what a short read costs. They run one after the other, so a group is only as long as the
 * server answers it in a moment, by what the statement took before: a read that is not short goes alone, and so
 * does the first of each statement. Who asks alone waits for nobody.
 */
export class GatheredReads {
  readonly #source: () => ConnectionSource;
  readonly #groupMs: number;
  #groups = new Map<string, Group>();
  #latest: Group | undefined;
  #isScheduled = false;
  /** Groups sent and not answered yet. */
  #underWay = 0;
  /** How long one read of a statement took lately, ms. */
  readonly #paces = new WeakMap<PreparedStatement<unknown>, number>();
  /** Connections that are opened meanwhile must not carry the scope of whoever happened to ask. */
  readonly #outsideOfScopes = AsyncLocalStorage.snapshot();

  /**
   * @param source where connections come from at that moment
   * @param groupMs what a group of reads should take
   */
  constructor(source: () => ConnectionSource, groupMs = GROUP_MS) {
    this.#source = source;
    this.#groupMs = groupMs;
  }

  /** Runs a read together with those that are asked for in this turn. */
  read<Row>(
    tenantId: string,
    statement: PreparedStatement<Row>,
    params: readonly ParameterValue[],
  ): Promise<ReadAnswer<Row>> {
    return new Promise((resolve, reject) => {
      const group = this.#group(tenantId, statement);
      group.reads.push({ params, resolve, reject });
      if (group.reads.length < this.#longest(statement)) return;
      this.#groups.delete(group.key);
      if (this.#latest === group) this.#latest = undefined;
      this.#outsideOfScopes(() => void this.#send(group as Group));
    });
  }

  #group<Row>(tenantId: string, statement: PreparedStatement<Row>): Group<Row> {
    const latest = this.#latest;
    // Mostly it is the one that was asked for just before; of the same statement, it is of the same rows.
    if (latest?.statement === statement && latest.tenantId === tenantId) return latest as Group<Row>;
    const key = `${statement.name} ${tenantId}`;
    let group = this.#groups.get(key);
    if (group === undefined) {
      group = { key, tenantId, statement, reads: [] };
      this.#groups.set(key, group);
      this.#sendSoon();
    }
    this.#latest = group;
    return group as Group<Row>;
  }

  /** How many reads of a statement may be one group. */
  #longest(statement: PreparedStatement<unknown>): number {
    const pace = this.#paces.get(statement);
    return pace === undefined ? 1 : Math.min(GROUP_MAX, this.#groupMs / pace);
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

  #sendAll(): void {
    this.#isScheduled = false;
    this.#latest = undefined;
    const groups = this.#groups.values();
    // Not cleared: V8 links a map's table to its next one, and an old one would keep every later answer alive.
    this.#groups = new Map();
    for (const group of groups) void this.#send(group);
  }

  /** Never rejects: every waiter is told. */
  async #send({ tenantId, statement, reads }: Group): Promise<void> {
    const count = reads.length;
    let ms = 0;
    this.#underWay += 1;
    // A read that failed has ended its group; those behind it were not run. Each round tells at least one.
    while (reads.length > 0) ms += await readScoped(this.#source(), tenantId, statement, reads);
    this.#underWay -= 1;
    const pace = ms / count;
    this.#paces.set(statement, ((this.#paces.get(statement) ?? pace) + pace) / 2);
  }
}
