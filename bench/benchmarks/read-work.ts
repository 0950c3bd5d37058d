import { GatewayContext } from '../../src/index.js';
import { BENCH_TENANT } from '../bank/bench-bank.js';
import type { BenchCase, Comparison, MissingSubject, Subject } from '../harness/benchmark.js';
import { randomIndices } from '../harness/random-indices.js';
import { DRIZZLE_MISSING } from '../peers/read-peers.js';

const SCOPE = { tenantId: BENCH_TENANT, actor: 'bench' };

const OURS = 'shardgate';
const OURS_SCOPE_PER_CALL = 'shardgate, a scope per call';
const PG = 'pg';
const TYPEORM = 'typeorm';
const DRIZZLE = 'drizzle';

/** One read of something, by each subject: rejects with a WrongAnswerError when the answer is wrong. */
export interface ReadWork<Item> {
  /** What is asked for at random. */
  readonly items: readonly Item[];
  /** In a scope of the tenant's service. */
  readonly ours: (item: Item) => Promise<void>;
  readonly pg: (item: Item) => Promise<void>;
  readonly typeorm: (item: Item) => Promise<void>;
  /** Undefined when Drizzle is not installed. */
  readonly drizzle: ((item: Item) => Promise<void>) | undefined;
}

/** A load, and how many times faster than two of the others we mean to be under it. */
export interface ReadGoal {
  readonly callers: number;
  readonly pg: number;
  readonly typeorm?: number;
}

/** The cases of a read: the same work for everybody, under each load. */
export function readCases<Item>(work: ReadWork<Item>, goals: readonly ReadGoal[]): BenchCase[] {
  const subjects = subjectsOf(work);
  return goals.map((goal) => ({
    name: goal.callers === 1 ? '1 caller' : `${goal.callers} callers`,
    callers: goal.callers,
    subjects,
    comparisons: [OURS, OURS_SCOPE_PER_CALL].flatMap((subject): Comparison[] => [
      { subject, against: PG, atLeast: goal.pg },
      { subject, against: TYPEORM, atLeast: goal.typeorm },
      { subject, against: DRIZZLE },
    ]),
  }));
}

function subjectsOf<Item>({
  items,
  ours,
  pg,
  typeorm,
  drizzle,
}: ReadWork<Item>): (Subject | MissingSubject)[] {
  const turns = (read: (item: Item) => Promise<void>) => (caller: number) => {
    const next = randomIndices(caller, items.length);
    return (): Promise<void> => {
      const item = items[next()];
      return item === undefined ? Promise.reject(new RangeError('There is nothing to read.')) : read(item);
    };
  };
  return [
    { name: OURS, isOurs: true, turnOf: turns(ours), around: inOneScope },
    {
      name: OURS_SCOPE_PER_CALL,
      isOurs: true,
      turnOf: turns((item) => GatewayContext.run(SCOPE, () => ours(item))),
    },
    { name: PG, isOurs: false, turnOf: turns(pg) },
    { name: TYPEORM, isOurs: false, turnOf: turns(typeorm) },
    drizzle === undefined
      ? { name: DRIZZLE, missing: DRIZZLE_MISSING }
      : { name: DRIZZLE, isOurs: false, turnOf: turns(drizzle) },
  ];
}

/** A caller's whole loop in one scope. The comparison is fair only while the replica answers that all share. */
function inOneScope(loop: () => Promise<void>): Promise<void> {
  return GatewayContext.run(SCOPE, async () => {
    await loop();
    const source = GatewayContext.trace()?.source;
    if (source !== undefined && source !== 'replica') {
      throw new Error(`Some reads came from the ${source}, not from the replica that the peers read.`);
    }
  });
}
