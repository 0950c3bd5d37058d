import { randomUUID } from 'node:crypto';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { AccountsService, type TestTenant } from '../support/accounts-service.js';
import type { HttpAnswer } from '../support/http-client.js';
import { assertLedgerSound } from '../support/ledger-check.js';
import { runAsAdmin } from '../support/own-databases.js';

interface TransferBody {
  readonly id: string;
  readonly status: string;
  readonly code: string;
  readonly [field: string]: unknown;
}

let service: AccountsService;
let tenant: TestTenant;
/** Of shard `s0`, and of `s1`. */
let alice: string;
let zoe: string;

beforeAll(async () => {
  service = await AccountsService.start();
  tenant = await service.newTenant();
  alice = await service.userOn(tenant, 's0');
  zoe = await service.userOn(tenant, 's1');
}, 60_000);

async function openAccount(userId: string, openingBalance = '0', currency = 'EUR'): Promise<string> {
  const body = { accountNumber: `X-${randomUUID().slice(0, 18)}`, currency, openingBalance };
  const answer = await tenant.client.post<{ id: string }>('/v1/accounts', body, { userId });
  if (answer.status !== 201) throw new Error(`Not created: ${answer.text}`);
  return answer.body.id;
}

function transfer(
  body: object,
  headers: { userId?: string; idempotencyKey?: string } = {},
): Promise<HttpAnswer<TransferBody>> {
  return tenant.client.post<TransferBody>('/v1/transfers', body, headers);
}

async function balanceOf(id: string, token: string): Promise<{ balance: string; available: string }> {
  const { body } = await tenant.client.get<{ balance: string; available: string }>(`/v1/accounts/${id}`, {
    token,
  });
  return { balance: body.balance, available: body.available };
}

function tokenOf({ headers }: HttpAnswer<unknown>): string {
  return headers.get('x-consistency-token') ?? '';
}

/** What is prepared on any primary. */
async function prepared(): Promise<unknown[]> {
  const urls = service.config.shards.map(({ primary }) => primary.adminUrl);
  const rows = await Promise.all(urls.map((url) => runAsAdmin(url, 'SELECT gid FROM pg_prepared_xacts')));
  return rows.flatMap(({ rows: found }) => found as unknown[]);
}

describe('a transfer between shards', () => {
  it.each([
    ['up', () => [alice, zoe] as const],
    ['down', () => [zoe, alice] as const],
  ])('moves the amount, %s, and its token shows it on both', async (_, users) => {
    const [payer, payee] = users();
    const [from, to] = [await openAccount(payer, '100'), await openAccount(payee, '5')];
    const answer = await transfer(
      { fromAccountId: from, toAccountId: to, amount: '30.5' },
      { userId: payer },
    );
    expect(answer).toMatchObject({ status: 201, body: { status: 'COMPLETED', postedAmount: '30.5000' } });
    const token = tokenOf(answer);
    expect(await balanceOf(from, token)).toEqual({ balance: '69.5000', available: '69.5000' });
    expect(await balanceOf(to, token)).toEqual({ balance: '35.5000', available: '35.5000' });
    const shown = await tenant.client.get(`/v1/transfers/${answer.body.id}`, { token, userId: payer });
    expect(shown.body).toEqual(answer.body);
    await assertLedgerSound(service.config);
    expect(await prepared()).toEqual([]);
  });

  it('is refused as one on a shard is, and changes nothing', async () => {
    const [from, to] = [await openAccount(alice, '10'), await openAccount(zoe)];
    const dollars = await openAccount(zoe, '0', 'USD');
    const frozen = await openAccount(zoe);
    await tenant.client.patch(`/v1/accounts/${frozen}`, { status: 'FROZEN' });
    const refusals = await Promise.all(
      [
        { toAccountId: to, amount: '10.01' },
        { toAccountId: dollars, amount: '99' },
        { toAccountId: frozen, amount: '99' },
        { toAccountId: from.replace(/.$/, (digit) => (digit === '0' ? '1' : '0')), amount: '1' },
      ].map((body) => transfer({ fromAccountId: from, ...body })),
    );
    expect(refusals.map(({ status, body }) => [status, body.code])).toEqual([
      [422, 'insufficient_funds'],
      [422, 'currency_mismatch'],
      [422, 'account_frozen'],
      [404, 'not_found'],
    ]);
    const mine = await transfer({ fromAccountId: from, toAccountId: to, amount: '1' }, { userId: zoe });
    expect(mine).toMatchObject({ status: 404, body: { code: 'not_found' } });
    expect(await balanceOf(from, refusals.map(tokenOf).join())).toMatchObject({ balance: '10.0000' });
  });

  it('is done once for 100 callers with one key, and all get the same answer', async () => {
    const [from, to] = [await openAccount(alice, '100'), await openAccount(zoe)];
    const idempotencyKey = randomUUID();
    const body = { fromAccountId: from, toAccountId: to, amount: '1' };
    const answers = await Promise.all(Array.from({ length: 100 }, () => transfer(body, { idempotencyKey })));
    expect(new Set(answers.map(({ status, text }) => `${status} ${text}`)).size).toBe(1);
    expect(answers.filter(({ headers }) => headers.get('idempotent-replayed') === 'true')).toHaveLength(99);
    expect(await balanceOf(to, tokenOf(answers[0]!))).toMatchObject({ balance: '1.0000' });
    const other = await transfer({ ...body, amount: '2' }, { idempotencyKey });
    expect(other).toMatchObject({ status: 409, body: { code: 'idempotency_key_reused' } });
  });

  it('remembers a refusal with its key', async () => {
    const [from, to] = [await openAccount(zoe), await openAccount(alice)];
    const idempotencyKey = randomUUID();
    const body = { fromAccountId: from, toAccountId: to, amount: '1' };
    const first = await transfer(body, { idempotencyKey });
    expect(first).toMatchObject({ status: 422, body: { code: 'insufficient_funds' } });
    await tenant.client.post(`/v1/accounts/${from}/deposits`, { amount: '5' });
    expect((await transfer(body, { idempotencyKey })).text).toBe(first.text);
  });

  it('can be held, and posted in part, voided, or resolved by one of many', async () => {
    const [from, to] = [await openAccount(alice, '100'), await openAccount(zoe)];
    const hold = async (amount: string): Promise<string> => {
      const answer = await transfer({ fromAccountId: from, toAccountId: to, amount, pending: true });
      expect(answer).toMatchObject({ status: 201, body: { status: 'PENDING' } });
      return answer.body.id;
    };
    const resolve = (id: string, how: 'post' | 'void', body = {}) =>
      tenant.client.post<TransferBody>(`/v1/transfers/${id}/${how}`, body);
    const [partly, voided, raced] = [await hold('40'), await hold('10'), await hold('20')];
    const tooMuch = await resolve(partly, 'post', { amount: '40.01' });
    expect(tooMuch).toMatchObject({ status: 422, body: { code: 'amount_exceeds_pending' } });
    const posted = await resolve(partly, 'post', { amount: '15' });
    expect(posted).toMatchObject({ status: 200, body: { status: 'COMPLETED', postedAmount: '15.0000' } });
    const gone = await resolve(voided, 'void');
    expect(gone).toMatchObject({ status: 200, body: { status: 'VOIDED' } });
    const race = await Promise.all(
      Array.from({ length: 20 }, (_, index) => resolve(raced, index % 2 === 0 ? 'post' : 'void')),
    );
    expect(race.filter(({ status }) => status === 200)).toHaveLength(1);
    expect(race.filter(({ body }) => body.code === 'transfer_not_pending')).toHaveLength(19);
    const winner = race.find(({ status }) => status === 200);
    const moved = winner?.body.status === 'COMPLETED' ? 20 : 0;
    const token = [posted, ...race]
      .map(tokenOf)
      .filter((text) => text !== '')
      .join();
    expect(await balanceOf(from, token)).toEqual({
      balance: `${85 - moved}.0000`,
      available: `${85 - moved}.0000`,
    });
    expect(await balanceOf(to, token)).toMatchObject({ balance: `${15 + moved}.0000` });
    await assertLedgerSound(service.config);
  });
});

describe('many transfers between shards at once', () => {
  it('both ways between few accounts come to no standstill, and keep the sum', async () => {
    const users = [alice, zoe];
    const accounts = await Promise.all(
      Array.from({ length: 6 }, (_, index) => openAccount(users[index % 2]!, '100')),
    );
    const wanted = Array.from({ length: 400 }, (_, index) => ({
      fromAccountId: accounts[index % 6]!,
      toAccountId: accounts[(index * 7 + 1 + (index % 5)) % 6]!,
      amount: `${1 + (index % 30)}.25`,
    })).filter(({ fromAccountId, toAccountId }) => fromAccountId !== toAccountId);
    const answers = await Promise.all(wanted.map((body) => transfer(body, { idempotencyKey: randomUUID() })));
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([201, 422]));
    await assertLedgerSound(service.config);
    const token = answers.map(tokenOf).slice(-50).join();
    const balances = await Promise.all(accounts.map((id) => balanceOf(id, token)));
    const cents = balances.reduce((sum, { balance }) => sum + BigInt(balance.replace('.', '')), 0n);
    expect(cents).toBe(6_000_000n);
    expect(await prepared()).toEqual([]);
  });

  it('are answered one by one by the batch route, whichever shards they are on', async () => {
    const [from, to, near] = [
      await openAccount(alice, '10'),
      await openAccount(zoe),
      await openAccount(alice),
    ];
    const transfers = [
      { fromAccountId: from, toAccountId: to, amount: '4', idempotencyKey: randomUUID() },
      { fromAccountId: from, toAccountId: near, amount: '4', idempotencyKey: randomUUID() },
      { fromAccountId: from, toAccountId: randomUUID(), amount: '1', idempotencyKey: randomUUID() },
    ];
    const answer = await tenant.client.post<{ results: { status: number }[] }>('/v1/transfers/batch', {
      transfers,
    });
    expect(answer.status).toBe(207);
    expect(answer.body.results.map(({ status }) => status)).toEqual([201, 201, 404]);
  });
});
