import { setImmediate as nextTurn } from 'node:timers/promises';
import { GatewayContext } from '../../../src/index.js';
import type { BenchCase, Comparison, MissingSubject, Subject } from '../../harness/benchmark.js';
import { randomIndices } from '../../harness/random-indices.js';
import { BENTOCACHE_MISSING } from '../../peers/cache-peers.js';
import { readAhead, SCOPE } from './scope.js';

const OURS = 'shardgate';
const OURS_SCOPE_PER_CALL = 'shardgate, a scope per call';
const LRU = 'lru-cache';
const TYPEORM = 'typeorm, cache: true';
const BENTOCACHE = 'bentocache';

/** One read that is kept already, by each subject. */
export interface HitWork<Item, Answer> {
  readonly name: string;
  /** What is asked for at random. */
  readonly items: readonly Item[];
  /** Calls of those who answer from this process in one turn, so that the clock is not what is measured. */
  readonly callsPerTurn: number;
  /** In a scope of the tenant's service. */
  readonly ours: (item: Item) => Promise<Answer>;
  readonly lru: (item: Item) => Answer;
  readonly typeorm: (item: Item) => Promise<Answer>;
  /** Undefined when BentoCache is not installed. */
  readonly bentocache: ((item: Item) => Promise<Answer>) | undefined;
  /** Of each answer; throws a WrongAnswerError when it is wrong. */
  readonly check: (item: Item, answer: Answer) => void;
  /** What is asked of our own in one scope. */
  readonly goals: readonly HitGoal[];
}

/** Something to be compared with, and how many times faster we mean to be. */
type HitGoal =
  | { readonly against: 'typeorm'; readonly atLeast: number }
  | { readonly against: { readonly label: string; readonly p50Ms: number }; readonly atLeast: number };

/** How often a round of our own was not the cache's alone. */
export interface HitRounds {
  /** With at least one read that a database answered, as after a standstill of this process. */
  withMisses: number;
}

/** A case in which everybody has what is asked for. The peers are made to have it here, we before each round. */
export async function hitCase<Item, Answer>(
  work: HitWork<Item, Answer>,
  rounds: HitRounds,
): Promise<BenchCase> {
  await readAhead(work.items, work.typeorm);
  if (work.bentocache !== undefined) await readAhead(work.items, work.bentocache);
  const goalOf = (against: string): number | undefined =>
    work.goals.find((goal) => goal.against === 'typeorm' && against === TYPEORM)?.atLeast;
  return {
    name: work.name,
    callers: 1,
    subjects: subjectsOf(work, rounds),
    comparisons: [
      ...work.goals.flatMap(({ against, atLeast }): Comparison[] =>
        typeof against === 'string' ? [] : [{ subject: OURS, against, atLeast }],
      ),
      ...[LRU, TYPEORM, BENTOCACHE].map((against) => ({ subject: OURS, against, atLeast: goalOf(against) })),
      ...[LRU, TYPEORM, BENTOCACHE].map((against) => ({ subject: OURS_SCOPE_PER_CALL, against })),
    ],
  };
}

function subjectsOf<Item, Answer>(
  work: HitWork<Item, Answer>,
  rounds: HitRounds,
): (Subject | MissingSubject)[] {
  const { callsPerTurn, ours, lru, typeorm, bentocache } = work;
  const prepare = (): Promise<void> => GatewayContext.run(SCOPE, () => readAhead(work.items, ours));
  const around = async (loop: () => Promise<void>): Promise<void> => {
    await GatewayContext.run(SCOPE, async () => {
      await loop();
      if (GatewayContext.trace()?.source !== 'cache') rounds.withMisses += 1;
    });
  };
  return [
    { name: OURS, isOurs: true, callsPerTurn, prepare, around, turnOf: turns(work, callsPerTurn, ours) },
    {
      name: OURS_SCOPE_PER_CALL,
      isOurs: true,
      callsPerTurn,
      prepare,
      turnOf: turns(work, callsPerTurn, (item) => GatewayContext.run(SCOPE, () => ours(item))),
    },
    { name: LRU, isOurs: false, callsPerTurn, turnOf: turnsWithoutWaiting(work, callsPerTurn, lru) },
    { name: TYPEORM, isOurs: false, turnOf: turns(work, 1, typeorm) },
    bentocache === undefined
      ? { name: BENTOCACHE, missing: BENTOCACHE_MISSING }
      : { name: BENTOCACHE, isOurs: false, callsPerTurn, turnOf: turns(work, callsPerTurn, bentocache) },
  ];
}

/**
 * Calls one after the other, at random. After each turn everybody else of this process has one, as between
 * requests: callers who are never kept waiting would else let no message of a database in.
 */
function turns<Item, Answer>(
  { items, check }: HitWork<Item, Answer>,
  calls: number,
  read: (item: Item) => Promise<Answer>,
) {
  return (caller: number) => {
    const next = randomIndices(caller, items.length);
    return async (): Promise<void> => {
      for (let call = 0; call < calls; call += 1) {
        const item = itemAt(items, next());
        check(item, await read(item));
      }
      await nextTurn();
    };
  };
}

/** The same of what answers at once. */
function turnsWithoutWaiting<Item, Answer>(
  { items, check }: HitWork<Item, Answer>,
  calls: number,
  read: (item: Item) => Answer,
) {
  return (caller: number) => {
    const next = randomIndices(caller, items.length);
    return async (): Promise<void> => {
      for (let call = 0; call < calls; call += 1) {
        const item = itemAt(items, next());
        check(item, read(item));
      }
      await nextTurn();
    };
  };
}

function itemAt<Item>(items: readonly Item[], index: number): Item {
  const item = items[index];
  if (item === undefined) throw new RangeError('There is nothing to read.');
  return item;
}
