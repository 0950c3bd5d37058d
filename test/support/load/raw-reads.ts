import { GatewayContext } from '../../../src/index.js';
import { Invoice } from '../billing.js';
import type { CanaryRead, CanaryScope } from './canary-read.js';

interface NumberRow extends Record<string, unknown> {
  readonly number: string;
}

const NUMBERS_SQL = 'SELECT number FROM billing.invoices';

const onUsersShard = ({ user }: CanaryScope): readonly string[] => user.numbers;

function numbersOf(rows: readonly { readonly number: string }[]): string[] {
  return rows.map(({ number }) => number);
}

function raw(
  kind: string,
  expected: CanaryRead['expected'],
  run: (scope: CanaryScope) => Promise<readonly { readonly number: string }[]>,
): CanaryRead {
  return { kind, expected, run: async (scope) => numbersOf(await run(scope)) };
}

function dataSourceOf({ runtime, user }: CanaryScope) {
  return runtime.nodes.primary(user.shardId).dataSource;
}

/** Every kind of read whose statement is the caller's own. A tenant has one user on each shard here. */
export const RAW_READS: readonly CanaryRead[] = [
  raw('query on a user’s shard', onUsersShard, ({ runtime, user, from }) =>
    runtime.gateway.query<NumberRow>(NUMBERS_SQL, [], { userId: user.userId }, from),
  ),
  raw('query on a shard', onUsersShard, ({ runtime, user, from }) =>
    runtime.gateway.query<NumberRow>(NUMBERS_SQL, [], { shardId: user.shardId }, from),
  ),
  raw(
    'query on all shards',
    ({ user, other }) => [...user.numbers, ...other.numbers],
    ({ runtime, from }) => runtime.gateway.query<NumberRow>(NUMBERS_SQL, [], { allShards: true }, from),
  ),
  raw(
    'query for foreign rows',
    () => [],
    ({ runtime, user, foreign, from }) =>
      runtime.gateway.query<NumberRow>(
        `${NUMBERS_SQL} WHERE id = ANY ($1) AND number = ANY ($2)`,
        [foreign.ids, foreign.numbers],
        { userId: user.userId },
        from,
      ),
  ),
  raw('query in a transaction', onUsersShard, ({ runtime }) =>
    runtime.gateway.transaction({}, (tx) => tx.query<NumberRow>(NUMBERS_SQL)),
  ),
  raw('the manager of a transaction', onUsersShard, ({ runtime }) =>
    runtime.gateway.transaction({}, (tx) => tx.manager.find(Invoice)),
  ),
  raw('a data source’s repository', onUsersShard, (scope) =>
    dataSourceOf(scope).getRepository(Invoice).find(),
  ),
  raw('a data source’s query builder', onUsersShard, (scope) =>
    dataSourceOf(scope).createQueryBuilder(Invoice, 'i').where('true').getMany(),
  ),
  raw('a data source’s query', onUsersShard, (scope) => dataSourceOf(scope).query<NumberRow[]>(NUMBERS_SQL)),
  raw('a data source’s transaction', onUsersShard, (scope) =>
    dataSourceOf(scope).transaction((manager) => manager.query<NumberRow[]>(NUMBERS_SQL)),
  ),
];

/** Scopes within scopes, and many reads at once in one scope. */
export const NESTED_READS: readonly CanaryRead[] = [
  raw(
    'a nested scope of the other user',
    ({ other }) => other.numbers,
    ({ runtime, tenant, other, from }) =>
      GatewayContext.run({ tenantId: tenant.tenantId, userId: other.userId, actor: 'nested' }, () =>
        runtime.gateway.repository(Invoice).find(from),
      ),
  ),
  raw('the outer scope after a nested one', onUsersShard, async ({ runtime, tenant, other, from }) => {
    const invoices = runtime.gateway.repository(Invoice);
    await GatewayContext.run({ tenantId: tenant.tenantId, userId: other.userId, actor: 'nested' }, () =>
      invoices.count(from),
    );
    return invoices.find(from);
  }),
  {
    kind: 'many reads at once',
    expected: ({ user, other, tenant }) => [
      ...[...user.numbers, ...user.numbers, ...other.numbers, ...user.numbers, ...other.numbers],
      tenant.tenantId,
    ],
    run: async ({ runtime, tenant, user, other, from }) => {
      const invoices = runtime.gateway.repository(Invoice);
      const found = await Promise.all([
        invoices.find(from),
        Promise.all(user.ids.map((id) => invoices.findById(id, from))),
        invoices.forUser(other.userId).find(from),
        invoices.onAllShards().find(from),
      ]);
      return [
        ...numbersOf(found.flat().filter((invoice) => invoice !== null)),
        GatewayContext.require().tenantId === tenant.tenantId ? tenant.tenantId : 'another tenant',
      ];
    },
  },
];
