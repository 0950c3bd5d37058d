import { In, Not } from 'typeorm';
import type { ShardedRepository } from '../../../src/index.js';
import { Invoice, InvoiceLine } from '../billing.js';
import type { CanaryRead, CanaryScope } from './canary-read.js';

type Rows = readonly (Pick<Invoice, 'number'> | null)[];

const nothing = (): readonly string[] => [];
const usersNumbers = ({ user }: CanaryScope): readonly string[] => user.numbers;
const usersLines = ({ user }: CanaryScope): readonly string[] => user.lines;
const tenantsNumbers = ({ user, other }: CanaryScope): readonly string[] => [
  ...user.numbers,
  ...other.numbers,
];

function numbersOf(rows: Rows): string[] {
  return rows.flatMap((row) => (row === null ? [] : [row.number]));
}

function linesOf(rows: readonly Pick<Invoice, 'lines'>[]): string[] {
  return rows.flatMap(({ lines }) => lines.map(({ what }) => what));
}

function invoices({ runtime }: CanaryScope): ShardedRepository<Invoice> {
  return runtime.gateway.repository(Invoice);
}

/** Reads of rows: what they give is compared with `expected`. */
function rows(
  kind: string,
  expected: CanaryRead['expected'],
  run: (scope: CanaryScope) => Promise<Rows>,
): CanaryRead {
  return { kind, expected, run: async (scope) => numbersOf(await run(scope)) };
}

/** Reads that tell one thing of rows, a count or whether there are any. */
function told(
  kind: string,
  expected: (scope: CanaryScope) => number | boolean,
  run: (scope: CanaryScope) => Promise<number | boolean>,
): CanaryRead {
  return {
    kind,
    expected: (scope) => [String(expected(scope))],
    run: async (scope) => [String(await run(scope))],
  };
}

/** Every find of a repository about one user's rows. */
const FINDS: readonly CanaryRead[] = [
  rows('findById', usersNumbers, (scope) =>
    Promise.all(scope.user.ids.map((id) => invoices(scope).findById(id, scope.from))),
  ),
  rows('findById of a foreign id', nothing, async (scope) => [
    await invoices(scope).findById(scope.foreign.ids[0]!, scope.from),
  ]),
  rows('findById with relations', nothing, async (scope) => [
    await invoices(scope).findById(scope.foreign.ids[0]!, { relations: { lines: true }, ...scope.from }),
  ]),
  rows('find', usersNumbers, (scope) => invoices(scope).find(scope.from)),
  rows('find with order and take', usersNumbers, (scope) =>
    invoices(scope).find({ order: { number: 'ASC' }, take: 100, ...scope.from }),
  ),
  rows('find of some columns', usersNumbers, (scope) =>
    invoices(scope).find({ select: { id: true, number: true }, ...scope.from }),
  ),
  rows('find with operators', usersNumbers, (scope) =>
    invoices(scope).find({
      where: { id: In([...scope.user.ids, ...scope.foreign.ids]), number: Not('none') },
      ...scope.from,
    }),
  ),
  rows('find with alternatives', usersNumbers, (scope) =>
    invoices(scope).find({
      where: [{ number: In([...scope.foreign.numbers]) }, { reminders: 0 }],
      withDeleted: true,
      ...scope.from,
    }),
  ),
  rows('findBy', nothing, (scope) =>
    invoices(scope).findBy({ number: In([...scope.foreign.numbers]) }, scope.from),
  ),
  rows('findOne', nothing, async (scope) => [
    await invoices(scope).findOne({ where: { id: scope.foreign.ids[0]! }, ...scope.from }),
  ]),
  rows('findOneBy', nothing, async (scope) => [
    await invoices(scope).findOneBy({ number: scope.foreign.numbers[0]! }, scope.from),
  ]),
  rows('findOneByOrFail', nothing, async (scope) => [
    await invoices(scope)
      .findOneByOrFail({ number: scope.foreign.numbers[0]! }, scope.from)
      .catch(() => null),
  ]),
  {
    kind: 'findAndCount',
    expected: ({ user }) => [...user.numbers, String(user.numbers.length)],
    run: async (scope) => {
      const [found, count] = await invoices(scope).findAndCount(scope.from);
      return [...numbersOf(found), String(count)];
    },
  },
  told(
    'count',
    ({ user }) => user.numbers.length,
    (scope) => invoices(scope).count(scope.from),
  ),
  told(
    'exists',
    () => false,
    (scope) => invoices(scope).exists({ where: { number: scope.foreign.numbers[0]! }, ...scope.from }),
  ),
  rows('forUser', usersNumbers, (scope) => invoices(scope).forUser(scope.user.userId).find(scope.from)),
];

/** Everything that joins or loads further tables, or builds its own statement. */
const BUILT: readonly CanaryRead[] = [
  {
    kind: 'relations by join',
    expected: usersLines,
    run: async (scope) => linesOf(await invoices(scope).find({ relations: { lines: true }, ...scope.from })),
  },
  {
    kind: 'relations by further statements',
    expected: usersLines,
    run: async (scope) => {
      const options = { relations: { lines: true }, relationLoadStrategy: 'query', ...scope.from } as const;
      return linesOf(await invoices(scope).find(options));
    },
  },
  {
    kind: 'relations to one',
    expected: ({ user }) => user.lines.map((line) => line.slice(0, -2)),
    run: async (scope) => {
      const lines = scope.runtime.gateway.repository(InvoiceLine);
      const found = await lines.find({ relations: { invoice: true }, ...scope.from });
      return found.map(({ invoice }) => invoice.number);
    },
  },
  rows('query builder', usersNumbers, (scope) =>
    invoices(scope).createQueryBuilder('i', scope.from).where('1 = 1').orWhere('true').getMany(),
  ),
  {
    kind: 'query builder with a join',
    expected: usersLines,
    run: async (scope) => {
      const builder = invoices(scope).createQueryBuilder('i', scope.from);
      return linesOf(await builder.innerJoinAndSelect('i.lines', 'l').orWhere('true').getMany());
    },
  },
  {
    kind: 'query builder, raw',
    expected: usersNumbers,
    run: async (scope) => {
      const builder = invoices(scope).createQueryBuilder('i', scope.from).select('i.number', 'number');
      return (await builder.getRawMany<{ number: string }>()).map(({ number }) => number);
    },
  },
  told(
    'query builder, counted',
    ({ user }) => user.numbers.length,
    (scope) => invoices(scope).createQueryBuilder('i', scope.from).getCount(),
  ),
];

/** Reads of all of the tenant's users. */
const ACROSS_SHARDS: readonly CanaryRead[] = [
  rows('onAllShards find', tenantsNumbers, (scope) => invoices(scope).onAllShards().find(scope.from)),
  {
    kind: 'onAllShards find with relations',
    expected: ({ user, other }) => [...user.lines, ...other.lines],
    run: async (scope) =>
      linesOf(
        await invoices(scope)
          .onAllShards()
          .find({ relations: { lines: true }, ...scope.from }),
      ),
  },
  told(
    'onAllShards count',
    (scope) => tenantsNumbers(scope).length,
    (scope) => invoices(scope).onAllShards().count(scope.from),
  ),
  rows('onAllShards page', tenantsNumbers, async (scope) => {
    const found: Invoice[] = [];
    for (let cursor: string | null | undefined; cursor !== null && found.length < 50;) {
      const page = await invoices(scope)
        .onAllShards()
        .page({ order: { number: 'ASC' }, limit: 3, cursor: cursor ?? undefined, ...scope.from });
      found.push(...page.items);
      cursor = page.nextCursor;
    }
    return found;
  }),
  rows('list of one user', usersNumbers, async (scope) => {
    const list = scope.runtime.gateway.list(Invoice, { userId: scope.user.userId });
    return (await list.page({ limit: 100, ...scope.from })).items;
  }),
];

/** The same within a transaction. */
const IN_TRANSACTIONS: readonly CanaryRead[] = [
  rows('find in a transaction', usersNumbers, ({ runtime }) =>
    runtime.gateway.transaction({}, (tx) => tx.getRepository(Invoice).find()),
  ),
  rows('findById in a transaction', nothing, async ({ runtime, foreign }) => [
    await runtime.gateway.transaction({}, (tx) => tx.getRepository(Invoice).findById(foreign.ids[0]!)),
  ]),
  rows('lock', usersNumbers, ({ runtime, user, foreign }) =>
    runtime.gateway.transaction({}, (tx) => tx.lock(Invoice, [...user.ids, ...foreign.ids])),
  ),
];

/** Every kind of read whose statements are the library's own: predicate and policy both hold them. */
export const REPOSITORY_READS: readonly CanaryRead[] = [
  ...FINDS,
  ...BUILT,
  ...ACROSS_SHARDS,
  ...IN_TRANSACTIONS,
];
