import { beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { AccountsService, type TestTenant } from '../support/accounts-service.js';
import { eventually } from '../support/eventually.js';
import type { HttpAnswer, HttpClient } from '../support/http-client.js';
import { SeededRandom } from '../support/hostile/seeded-random.js';
import { assertLedgerSound } from '../support/ledger-check.js';
import { runAsAdmin } from '../support/own-databases.js';

interface TransferBody {
  readonly id: string;
  readonly code?: string;
}

let service: AccountsService;
let tenant: TestTenant;
/** Of the same tenant, to two processes. */
let clients: readonly [HttpClient, HttpClient];
let adminUrl: string;
let user: string;

beforeAll(async () => {
  service = await AccountsService.start();
  tenant = await service.newTenant();
  clients = [tenant.client, await service.throughAnother(tenant)];
  adminUrl = service.config.shards[0]!.primary.adminUrl;
  user = await service.userOn(tenant, 's0');
}, 90_000);

async function openAccounts(
  count: number,
  openingBalance: string,
  { of = tenant, userId = user }: { of?: TestTenant; userId?: string } = {},
): Promise<string[]> {
  const ids: string[] = [];
  for (let made = 0; made < count; made += 1) {
    const body = { accountNumber: `N-${randomUUID().slice(0, 18)}`, currency: 'EUR', openingBalance };
    ids.push((await of.client.post<{ id: string }>('/v1/accounts', body, { userId })).body.id);
  }
  return ids;
}

async function balanceOf(id: string): Promise<string> {
  const { rows } = await runAsAdmin(
    adminUrl,
    `SELECT balance::text FROM finance.accounts WHERE id = '${id}'`,
  );
  return (rows as { balance: string }[])[0]!.balance;
}

/** Callers that ask one after the other, all at once. @returns the answers of all of them */
async function callers<T>(count: number, turns: number, ask: (caller: number, turn: number) => Promise<T>) {
  const answers = await Promise.all(
    Array.from({ length: count }, async (_, caller) => {
      const own: T[] = [];
      for (let turn = 0; turn < turns; turn += 1) own.push(await ask(caller, turn));
      return own;
    }),
  );
  return answers.flat();
}

function codesOf(answers: readonly HttpAnswer<TransferBody>[]): string[] {
  return [
    ...new Set(answers.map(({ status, body }) => (status < 300 ? String(status) : (body.code ?? '?')))),
  ].sort();
}

describe('through two gateway processes at once', () => {
  it('transfers in both directions between few accounts end in no deadlock', async () => {
    const accounts = await openAccounts(4, '1000.00');
    const random = new SeededRandom(7);
    const answers = await callers(40, 15, (caller) => {
      const [fromAccountId, toAccountId] = random.shuffled(accounts);
      const body = { fromAccountId, toAccountId, amount: '1.25' };
      return clients[caller % 2]!.post<TransferBody>('/v1/transfers', body);
    });
    expect(codesOf(answers)).toEqual(['201']);
    const balances = await Promise.all(accounts.map(balanceOf));
    const cents = balances.map((balance) => BigInt(balance.replace('.', '')));
    expect(cents.reduce((sum, balance) => sum + balance)).toBe(40_000_000n);
  }, 60_000);

  it('one account that everybody pays to loses nothing', async () => {
    const [hot, ...payers] = await openAccounts(9, '100.00');
    const answers = await callers(48, 10, (caller) =>
      clients[caller % 2]!.post<TransferBody>('/v1/transfers', {
        fromAccountId: payers[caller % 8],
        toAccountId: hot,
        amount: '0.11',
      }),
    );
    expect(codesOf(answers)).toEqual(['201']);
    expect(await balanceOf(hot!)).toBe('152.8000');
  }, 60_000);

  it('one key moves once, and all get the same answer', async () => {
    const [fromAccountId, toAccountId] = await openAccounts(2, '100.00');
    const idempotencyKey = randomUUID();
    const answers = await callers(100, 1, (caller) =>
      clients[caller % 2]!.post<TransferBody>(
        '/v1/transfers',
        { fromAccountId, toAccountId, amount: '3.00' },
        { idempotencyKey },
      ),
    );
    expect(new Set(answers.map(({ status, text }) => `${status} ${text}`)).size).toBe(1);
    expect(answers.filter(({ headers }) => headers.get('idempotent-replayed') === 'true')).toHaveLength(99);
    expect(await balanceOf(toAccountId!)).toBe('103.0000');
  }, 30_000);

  it('an account gives no more than it has', async () => {
    const [fromAccountId, toAccountId] = await openAccounts(2, '10.00');
    const answers = await callers(60, 1, (caller) =>
      clients[caller % 2]!.post<TransferBody>('/v1/transfers', {
        fromAccountId,
        toAccountId,
        amount: '1.50',
        pending: caller % 3 === 0,
      }),
    );
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(6);
    expect(codesOf(answers)).toEqual(['201', 'insufficient_funds']);
  }, 30_000);

  it('transfers, deposits and freezing at once leave nobody in a deadlock', async () => {
    const accounts = await openAccounts(3, '1000.00');
    const random = new SeededRandom(11);
    const answers = await callers(30, 10, (caller, turn) => {
      const client = clients[caller % 2]!;
      const [from, to] = random.shuffled(accounts);
      if (caller % 5 === 0) {
        return client.post<TransferBody>(`/v1/accounts/${from}/deposits`, { amount: '1.00' });
      }
      if (caller === 1) {
        const updates = accounts.map((id) => ({ id, status: turn % 2 === 0 ? 'FROZEN' : 'ACTIVE' }));
        return client.patch<TransferBody>('/v1/accounts', { updates });
      }
      return client.post<TransferBody>('/v1/transfers', {
        fromAccountId: from,
        toAccountId: to,
        amount: '1.00',
      });
    });
    const allowed = ['200', '201', 'account_frozen'];
    expect(codesOf(answers).filter((code) => !allowed.includes(code))).toEqual([]);
  }, 60_000);
});

describe('a tenant that floods a shard', () => {
  it('holds up no other: one transfer of theirs is done while its own still wait', async () => {
    const other = await service.newTenant();
    const otherUser = await service.userOn(other, 's0');
    const [from, to] = await openAccounts(2, '4000.00');
    const [otherFrom, otherTo] = await openAccounts(2, '10.00', { of: other, userId: otherUser });
    const flood = Array.from({ length: 4 }, () => {
      const one = { fromAccountId: from, toAccountId: to, amount: '1.00' };
      const transfers = Array.from({ length: 1_000 }, () => one);
      return tenant.client.post('/v1/transfers/batch', { transfers });
    });
    await eventually('the flood has begun', async () => (await balanceOf(from!)) !== '4000.0000');
    const answer = await other.client.post('/v1/transfers', {
      fromAccountId: otherFrom,
      toAccountId: otherTo,
      amount: '1.00',
    });
    expect(answer.status).toBe(201);
    expect(await balanceOf(from!)).not.toBe('0.0000');
    await Promise.all(flood);
    expect(await balanceOf(from!)).toBe('0.0000');
    expect(await balanceOf(to!)).toBe('8000.0000');
  }, 60_000);
});

describe('an account that something slow holds', () => {
  it('holds up nobody else, and is tried again until its time is over', async () => {
    const [held, late, ...others] = await openAccounts(6, '100.00');
    const slow = new pg.Client({ connectionString: adminUrl });
    await slow.connect();
    const client = tenant.client;
    try {
      await slow.query('BEGIN');
      await slow.query(`SELECT FROM finance.accounts WHERE id IN ('${held}', '${late}') FOR UPDATE`);
      const begunAt = performance.now();
      const pay = (fromAccountId: string | undefined, toAccountId: string | undefined) =>
        client.post<TransferBody>('/v1/transfers', { fromAccountId, toAccountId, amount: '1.00' });
      const waiting = pay(held, others[0]);
      const lost = pay(others[0], late);
      const free = await callers(8, 20, (caller) => pay(others[caller % 4], others[(caller + 1) % 4]));
      expect(codesOf(free)).toEqual(['201']);
      // 160 of them, while the two wait: each of their tries would otherwise cost everybody its lock's timeout.
      expect(performance.now() - begunAt).toBeLessThan(5_000);
      const overdue = await lost;
      expect(overdue).toMatchObject({ status: 503, body: { code: 'overloaded' } });
      expect(overdue.headers.get('retry-after')).toBe('1');
      expect((await waiting).body.code).toBe('overloaded');
      const soon = pay(held, others[0]);
      await slow.query('ROLLBACK');
      expect((await soon).status).toBe(201);
    } finally {
      await slow.end();
    }
    expect(await balanceOf(late!)).toBe('100.0000');
    expect(await balanceOf(held!)).toBe('99.0000');
  }, 60_000);
});

describe('connections that break at any moment, commits included', () => {
  it('leave each key with one effect, which a retry finds', async () => {
    const accounts = await openAccounts(6, '1000.00');
    const random = new SeededRandom(23);
    const admin = new pg.Client({ connectionString: adminUrl });
    await admin.connect();
    const cuts = { isOver: false };
    const cutting = (async () => {
      let cut = 0;
      while (!cuts.isOver) {
        const { rowCount } = await admin.query(`
          SELECT pg_terminate_backend(pid) FROM pg_stat_activity
          WHERE datname = current_database() AND pid <> pg_backend_pid() AND state <> 'idle'
            AND backend_type = 'client backend' AND random() < 0.7`);
        cut += rowCount ?? 0;
      }
      return cut;
    })();
    let unknown = 0;
    const done = await callers(24, 12, async (caller) => {
      const [fromAccountId, toAccountId] = random.shuffled(accounts);
      const idempotencyKey = randomUUID();
      const body = { fromAccountId, toAccountId, amount: '0.50' };
      for (let attempt = 1; ; attempt += 1) {
        // The last attempts are made in peace.
        if (attempt > 30) cuts.isOver = true;
        const answer = await clients[caller % 2]!.post<TransferBody>('/v1/transfers', body, {
          idempotencyKey,
        });
        if (answer.status === 201) return answer.body.id;
        expect([answer.status, answer.body.code]).toEqual([503, 'shard_unavailable']);
        unknown += 1;
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
    });
    cuts.isOver = true;
    expect(await cutting).toBeGreaterThan(0);
    expect(unknown).toBeGreaterThan(0);
    await admin.end();
    expect(new Set(done).size).toBe(24 * 12);
    const list = accounts.map((id) => `'${id}'`).join(',');
    const sql = `SELECT count(*)::int AS kept FROM finance.transfers WHERE from_account_id IN (${list})`;
    expect((await runAsAdmin(adminUrl, sql)).rows).toEqual([{ kept: 24 * 12 }]);
  }, 120_000);
});

describe('after all of that', () => {
  it('every ledger is sound', async () => {
    await expect(assertLedgerSound(service.config)).resolves.toBeUndefined();
  });
});
