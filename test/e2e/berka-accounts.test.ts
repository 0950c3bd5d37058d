import { beforeAll, describe, expect, it } from '@jest/globals';
import pLimit from 'p-limit';
import { AccountsService, type TestTenant } from '../support/accounts-service.js';
import { berkaAccounts, type BerkaAccount } from '../support/berka-accounts.js';
import { eventually } from '../support/eventually.js';
import { assertLedgerSound } from '../support/ledger-check.js';
import { runAsAdmin } from '../support/own-databases.js';
import { howMuch } from '../support/soak.js';

const CONCURRENCY = 32;
const ACCOUNTS = berkaAccounts();
/** Those that are created: of so many one. */
const EACH = howMuch({ short: 3, soak: 1 });
const CREATED = ACCOUNTS.filter((_, place) => place % EACH === 0);

interface Created {
  readonly id: string;
  readonly userId: string;
  readonly accountNumber: string;
}

interface Shards {
  readonly items: readonly {
    readonly id: string;
    readonly buckets: number;
    readonly replicas: readonly { lagBytes: number | null }[];
  }[];
}

let service: AccountsService;
let tenant: TestTenant;
let created: readonly Created[];

function forEach<T, R>(items: readonly T[], run: (item: T) => Promise<R>): Promise<R[]> {
  return pLimit(CONCURRENCY).map(items, run);
}

async function create({ accountNumber, ownerId }: BerkaAccount): Promise<Created> {
  const body = { accountNumber, currency: 'CZK', openingBalance: '100.00' };
  const answer = await tenant.client.post<Created>('/v1/accounts', body, { userId: ownerId });
  if (answer.status !== 201) throw new Error(`Not created: ${answer.text}`);
  return answer.body;
}

async function shards(): Promise<Shards['items']> {
  return (await service.operator.get<Shards>('/v1/admin/shards')).body.items;
}

beforeAll(async () => {
  service = await AccountsService.start();
  tenant = await service.newTenant();
  created = await forEach(CREATED, create);
  await eventually('every replica has replayed everything', async () =>
    (await shards()).every(({ replicas }) => replicas.every(({ lagBytes }) => lagBytes === 0)),
  );
}, 240_000);

describe("a real bank's 4,500 accounts", () => {
  it('are created for their owners', () => {
    expect(ACCOUNTS).toHaveLength(4_500);
    expect(created.map(({ accountNumber, userId }) => ({ accountNumber, ownerId: userId }))).toEqual(CREATED);
  });

  it('lie on the shards that the route of their owners names, within 5 % of each shard’s share', async () => {
    const shardIds = await forEach(ACCOUNTS, ({ ownerId }) => service.shardOf(tenant, ownerId));
    const bucketsOf = new Map((await shards()).map(({ id, buckets }) => [id, buckets]));
    for (const { id, primary } of service.config.shards) {
      const sql = `SELECT count(*)::int AS n FROM finance.accounts WHERE kind = 'USER'`;
      const { rows } = await runAsAdmin(primary.adminUrl, sql);
      const isHere = shardIds.map((shardId) => shardId === id);
      expect(rows).toEqual([{ n: CREATED.filter((_, place) => isHere[place * EACH]).length }]);
      const share = (ACCOUNTS.length * (bucketsOf.get(id) ?? 0)) / 4_096;
      expect(Math.abs(isHere.filter(Boolean).length - share)).toBeLessThanOrEqual(0.05 * share);
    }
  }, 60_000);

  it('are read back by id, from replicas', async () => {
    const sources = await forEach(created, async (account) => {
      const answer = await tenant.client.get(`/v1/accounts/${account.id}`);
      expect(answer.body).toEqual(account);
      return answer.headers.get('x-shardgate-source');
    });
    expect(new Set(sources)).toEqual(new Set(['replica']));
  }, 60_000);

  it('are read back by their owners, from replicas', async () => {
    const sources = await forEach(created, async (account) => {
      const answer = await tenant.client.get<{ items: unknown[] }>('/v1/accounts', {
        userId: account.userId,
      });
      expect(answer.body.items).toEqual([account]);
      return answer.headers.get('x-shardgate-source');
    });
    expect(new Set(sources)).toEqual(new Set(['replica']));
  }, 60_000);

  it('are found by their numbers, from replicas', async () => {
    const sources = await forEach(created, async (account) => {
      const path = `/v1/accounts?accountNumber=${account.accountNumber}`;
      const answer = await tenant.client.get<{ items: unknown[] }>(path);
      expect(answer.body.items).toEqual([account]);
      return answer.headers.get('x-shardgate-source');
    });
    expect(new Set(sources)).toEqual(new Set(['replica']));
  }, 60_000);

  it('are listed once each over all pages of the tenant’s list', async () => {
    const seen: Created[] = [];
    for (let cursor: string | null = ''; cursor !== null;) {
      const path = `/v1/accounts?limit=500${cursor === '' ? '' : `&cursor=${cursor}`}`;
      const page: { items: Created[]; nextCursor: string | null } = (
        await tenant.client.get<{ items: Created[]; nextCursor: string | null }>(path)
      ).body;
      seen.push(...page.items);
      cursor = page.nextCursor;
    }
    expect(seen.map(({ id }) => id)).toEqual(created.map(({ id }) => id).sort());
  }, 60_000);

  it('leave every ledger sound', async () => {
    await expect(assertLedgerSound(service.config)).resolves.toBeUndefined();
  });
});
