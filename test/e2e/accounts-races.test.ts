import { beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { AccountsService, type TestTenant } from '../support/accounts-service.js';
import type { HttpAnswer } from '../support/http-client.js';
import { assertLedgerSound } from '../support/ledger-check.js';
import { runAsAdmin } from '../support/own-databases.js';

interface Entry {
  readonly id: string;
  readonly amount: string;
  readonly balanceAfter: string;
}

let service: AccountsService;
let tenant: TestTenant;

beforeAll(async () => {
  service = await AccountsService.start();
  tenant = await service.newTenant();
}, 60_000);

async function openAccount(userId: string, openingBalance?: string): Promise<string> {
  const body = { accountNumber: `N-${randomUUID().slice(0, 18)}`, currency: 'EUR', openingBalance };
  const answer = await tenant.client.post<{ id: string }>('/v1/accounts', body, { userId });
  if (answer.status !== 201) throw new Error(`Not created: ${answer.text}`);
  return answer.body.id;
}

/** All of an account's entries, oldest first, over several pages. */
async function entriesOf(accountId: string, token: string): Promise<Entry[]> {
  const entries: Entry[] = [];
  for (let cursor: string | null = ''; cursor !== null;) {
    const path = `/v1/accounts/${accountId}/transactions?limit=7${cursor === '' ? '' : `&cursor=${cursor}`}`;
    const page: HttpAnswer<{ items: Entry[]; nextCursor: string | null }> = await tenant.client.get(path, {
      token,
    });
    entries.push(...page.body.items);
    cursor = page.body.nextCursor;
  }
  return entries.reverse();
}

function times<T>(count: number, run: (index: number) => Promise<T>): Promise<T[]> {
  return Promise.all(Array.from({ length: count }, (_, index) => run(index)));
}

function tokenOf(answers: readonly HttpAnswer<unknown>[]): string {
  return answers.map(({ headers }) => headers.get('x-consistency-token') ?? '').join(',');
}

describe('two creations of one account number at once', () => {
  it('by users on different shards give exactly one account, 200 times', async () => {
    const users = [await service.userOn(tenant, 's0'), await service.userOn(tenant, 's1')];
    const numbers = Array.from({ length: 200 }, (_, round) => `RACE-${round}`);
    for (const accountNumber of numbers) {
      const answers = await Promise.all(
        users.map((userId) =>
          tenant.client.post('/v1/accounts', { accountNumber, currency: 'EUR' }, { userId }),
        ),
      );
      expect(answers.map(({ status }) => status).sort()).toEqual([201, 409]);
      const loser = answers.find(({ status }) => status === 409);
      expect(loser?.body).toMatchObject({ code: 'account_number_taken' });
    }
    const rows = await Promise.all(
      service.config.shards.map(({ primary }) =>
        runAsAdmin(
          primary.adminUrl,
          `SELECT account_number FROM finance.accounts WHERE account_number LIKE 'RACE-%'`,
        ),
      ),
    );
    const kept = rows.flatMap((result) => result.rows as { account_number: string }[]);
    expect(kept.map(({ account_number: number }) => number).sort()).toEqual([...numbers].sort());
  }, 120_000);
});

describe('twenty callers on one account', () => {
  it('lose no update, and leave a chain of entries without a gap', async () => {
    const id = await openAccount('busy', '1000.00');
    const answers = await times(20, async (caller) => {
      const own: HttpAnswer<Entry>[] = [];
      for (let turn = 0; turn < 10; turn += 1) {
        const way = (caller + turn) % 2 === 0 ? 'deposits' : 'withdrawals';
        const amount = `${caller + 1}.${turn}1`;
        own.push(await tenant.client.post<Entry>(`/v1/accounts/${id}/${way}`, { amount }));
      }
      return own;
    });
    const moved = answers.flat();
    expect(new Set(moved.map(({ status }) => status))).toEqual(new Set([201]));
    const entries = await entriesOf(id, tokenOf(moved));
    expect(entries).toHaveLength(201);
    expect(new Set(entries.map((entry) => entry.id)).size).toBe(201);
    let cents = 0n;
    for (const { amount, balanceAfter } of entries) {
      cents += BigInt(amount.replace('.', ''));
      expect(BigInt(balanceAfter.replace('.', ''))).toBe(cents);
    }
    const sql = `
      SELECT array_agg(account_version::int ORDER BY account_version) AS versions
      FROM finance.transactions WHERE account_id = '${id}'`;
    const all = await Promise.all(
      service.config.shards.map(({ primary }) => runAsAdmin(primary.adminUrl, sql)),
    );
    const versions = all.flatMap(({ rows }) => (rows as { versions: number[] | null }[])[0]?.versions ?? []);
    expect(versions).toEqual(Array.from({ length: 201 }, (_, index) => index + 2));
  }, 60_000);

  it('cannot together withdraw more than there is', async () => {
    const id = await openAccount('poor', '10.00');
    const answers = await times(20, () =>
      tenant.client.post<Entry & { code: string }>(`/v1/accounts/${id}/withdrawals`, { amount: '1.50' }),
    );
    const refused = answers.filter(({ status }) => status === 422);
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(6);
    expect(new Set(refused.map(({ body }) => body.code))).toEqual(new Set(['insufficient_funds']));
    const account = await tenant.client.get(`/v1/accounts/${id}`, { token: tokenOf(answers) });
    expect(account.body).toMatchObject({ balance: '1.0000', available: '1.0000' });
  }, 30_000);
});

describe('one idempotency key from fifty callers at once', () => {
  it('deposits once and gives all of them the same answer', async () => {
    const id = await openAccount('eager');
    const idempotencyKey = randomUUID();
    const answers = await times(50, () =>
      tenant.client.post<Entry>(`/v1/accounts/${id}/deposits`, { amount: '5.00' }, { idempotencyKey }),
    );
    expect(new Set(answers.map(({ status, text }) => `${status} ${text}`)).size).toBe(1);
    expect(answers[0]?.status).toBe(201);
    const replayed = answers.filter(({ headers }) => headers.get('idempotent-replayed') === 'true');
    expect(replayed).toHaveLength(49);
    expect(await entriesOf(id, tokenOf(answers))).toHaveLength(1);
  }, 30_000);

  it('creates one account and gives all of them the same answer', async () => {
    const idempotencyKey = randomUUID();
    const body = { accountNumber: 'ONCE-1', currency: 'EUR', openingBalance: '7.00' };
    const answers = await times(50, () =>
      tenant.client.post<{ id: string }>('/v1/accounts', body, { userId: 'eager', idempotencyKey }),
    );
    expect(new Set(answers.map(({ status, text }) => `${status} ${text}`)).size).toBe(1);
    expect(answers[0]?.status).toBe(201);
    const found = await tenant.client.get<{ items: { id: string }[] }>('/v1/accounts?accountNumber=ONCE-1', {
      token: tokenOf(answers),
    });
    expect(found.body.items.map(({ id }) => id)).toEqual([answers[0]?.body.id]);
  }, 60_000);
});

describe('after all of that', () => {
  it('every ledger is sound', async () => {
    await expect(assertLedgerSound(service.config)).resolves.toBeUndefined();
  });
});
