import { beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { AccountsService, type TestTenant } from '../support/accounts-service.js';
import { eventually } from '../support/eventually.js';
import type { HttpAnswer } from '../support/http-client.js';
import { assertLedgerSound } from '../support/ledger-check.js';
import { runAsAdmin } from '../support/own-databases.js';

interface TransferBody {
  readonly id: string;
  readonly status: string;
  readonly code: string;
  readonly [field: string]: unknown;
}

interface AccountBody {
  readonly id: string;
  readonly balance: string;
  readonly available: string;
  readonly version: number;
}

const NO_ID = '00000000-0000-8000-8000-000000000000';

let service: AccountsService;
let tenant: TestTenant;
let alice: string;
let bob: string;

beforeAll(async () => {
  service = await AccountsService.start();
  tenant = await service.newTenant();
  alice = await service.userOn(tenant, 's0');
  bob = await service.userOn(tenant, 's0');
}, 60_000);

async function openAccount(
  userId: string,
  openingBalance = '0',
  { currency = 'EUR', of = tenant }: { currency?: string; of?: TestTenant } = {},
): Promise<string> {
  const body = { accountNumber: `N-${randomUUID().slice(0, 18)}`, currency, openingBalance };
  const answer = await of.client.post<{ id: string }>('/v1/accounts', body, { userId });
  if (answer.status !== 201) throw new Error(`Not created: ${answer.text}`);
  return answer.body.id;
}

function transfer(body: object, headers: { userId?: string; idempotencyKey?: string } = {}) {
  return tenant.client.post<TransferBody>('/v1/transfers', body, headers);
}

function resolve(id: string, how: 'post' | 'void', body: object = {}, idempotencyKey?: string) {
  return tenant.client.post<TransferBody>(`/v1/transfers/${id}/${how}`, body, { idempotencyKey });
}

function tokenOf({ headers }: HttpAnswer<unknown>): string | undefined {
  return headers.get('x-consistency-token') ?? undefined;
}

async function account(id: string, after: HttpAnswer<unknown>): Promise<AccountBody> {
  return (await tenant.client.get<AccountBody>(`/v1/accounts/${id}`, { token: tokenOf(after) })).body;
}

async function hold(
  fromAccountId: string,
  toAccountId: string,
  amount: string,
  timeoutSeconds?: number,
): Promise<TransferBody> {
  const answer = await transfer({ fromAccountId, toAccountId, amount, pending: true, timeoutSeconds });
  expect(answer.status).toBe(201);
  return answer.body;
}

describe('a transfer', () => {
  it('moves the amount, and is listed on both accounts', async () => {
    const [from, to] = [await openAccount(alice, '100.00'), await openAccount(bob)];
    const body = { fromAccountId: from, toAccountId: to, amount: '30.5', reference: 'Rent' };
    const answer = await transfer(body, { userId: alice });
    expect(answer.status).toBe(201);
    expect(answer.body).toEqual({
      id: expect.any(String),
      fromAccountId: from,
      toAccountId: to,
      amount: '30.5000',
      postedAmount: '30.5000',
      currency: 'EUR',
      status: 'COMPLETED',
      reference: 'Rent',
      actor: `user:${alice}`,
      createdAt: expect.any(String),
      expiresAt: null,
      completedAt: answer.body.createdAt,
    });
    const token = tokenOf(answer);
    expect(await account(from, answer)).toMatchObject({ balance: '69.5000', available: '69.5000' });
    expect(await account(to, answer)).toMatchObject({ balance: '30.5000', version: 2 });
    const shown = await tenant.client.get(`/v1/transfers/${answer.body.id}`, { token, userId: alice });
    expect(shown.body).toEqual(answer.body);
    for (const [id, amount, balanceAfter] of [
      [from, '-30.5000', '69.5000'],
      [to, '30.5000', '30.5000'],
    ]) {
      const list = await tenant.client.get<{ items: object[] }>(`/v1/accounts/${id}/transactions?limit=1`, {
        token,
      });
      expect(list.body.items).toMatchObject([
        { type: 'TRANSFER', status: 'COMPLETED', amount, balanceAfter, transferId: answer.body.id },
      ]);
    }
  });

  it('is seen by the payer alone, and by the tenant', async () => {
    const [from, to] = [await openAccount(alice, '1.00'), await openAccount(bob)];
    const answer = await transfer({ fromAccountId: from, toAccountId: to, amount: '1.00' });
    const path = `/v1/transfers/${answer.body.id}`;
    const token = tokenOf(answer);
    expect((await tenant.client.get(path, { token, userId: bob })).status).toBe(404);
    expect((await tenant.client.get(path, { token, userId: alice })).status).toBe(200);
    const other = await service.newTenant();
    expect((await other.client.get(path)).status).toBe(404);
  });

  it('keeps four decimals exactly, however many there are', async () => {
    const exact = await service.newTenant({ subMinorUnits: true });
    const user = await service.userOn(exact, 's0');
    const [from, to] = [
      await openAccount(user, '0.3000', { of: exact }),
      await openAccount(user, '0.1000', { of: exact }),
    ];
    const answers = await Promise.all(
      Array.from({ length: 300 }, () =>
        exact.client.post('/v1/transfers', { fromAccountId: from, toAccountId: to, amount: '0.0007' }),
      ),
    );
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([201]));
    // One per batch.
    const token = [...new Set(answers.map(tokenOf))].join(',');
    const [a, b] = await Promise.all(
      [from, to].map((id) => exact.client.get<AccountBody>(`/v1/accounts/${id}`, { token })),
    );
    expect([a?.body.balance, b?.body.balance]).toEqual(['0.0900', '0.3100']);
  });

  it('may use an overdraft to its end, which the tenant’s service alone may set', async () => {
    const [from, to] = [await openAccount(alice, '10.00'), await openAccount(bob)];
    const path = `/v1/accounts/${from}`;
    const refused = await tenant.client.patch(path, { overdraftLimit: '5.00' }, { userId: alice });
    expect(refused).toMatchObject({ status: 403, body: { code: 'forbidden' } });
    const set = await tenant.client.patch(path, { overdraftLimit: '5.00' });
    expect(set).toMatchObject({ status: 200, body: { overdraftLimit: '5.0000', available: '10.0000' } });
    const body = { fromAccountId: from, toAccountId: to, amount: '15.01' };
    expect((await transfer(body)).body.code).toBe('insufficient_funds');
    const done = await transfer({ ...body, amount: '15.00' });
    expect(done.status).toBe(201);
    expect(await account(from, done)).toMatchObject({ balance: '-5.0000', available: '-5.0000' });
    const lowered = await tenant.client.patch(path, { overdraftLimit: '4.99' });
    expect(lowered).toMatchObject({ status: 422, body: { code: 'insufficient_funds' } });
    expect((await tenant.client.patch(path, { overdraftLimit: '0.001' })).status).toBe(400);
    expect((await tenant.client.patch(path, { overdraftLimit: '-1' })).status).toBe(400);
    expect((await tenant.client.patch(path, {})).status).toBe(400);
  });
});

describe('a refusal', () => {
  it('is the first one that applies', async () => {
    const poor = await openAccount(alice, '1.00');
    const rich = await openAccount(bob, '9999999999999999.99');
    const frozen = await openAccount(bob);
    const frozenPayer = await openAccount(alice);
    const closed = await openAccount(bob);
    const dollars = await openAccount(bob, '0', { currency: 'USD' });
    const set = (id: string, status: string) => tenant.client.patch(`/v1/accounts/${id}`, { status });
    await set(frozen, 'FROZEN');
    await set(frozenPayer, 'FROZEN');
    await set(closed, 'CLOSED');
    const codeOf = async (fromAccountId: string, toAccountId: string, amount: string, userId?: string) => {
      const answer = await transfer({ fromAccountId, toAccountId, amount }, userId ? { userId } : {});
      return `${answer.status} ${answer.body.code}`;
    };
    expect(await codeOf('x', poor, '0')).toBe('400 validation_failed');
    expect(await codeOf(NO_ID, frozen, '0.001')).toBe('404 not_found');
    expect(await codeOf(randomUUID(), frozen, '1')).toBe('404 not_found');
    expect(await codeOf(poor, randomUUID(), '0.001')).toBe('404 not_found');
    expect(await codeOf(poor, frozen, '100', bob)).toBe('404 not_found');
    expect(await codeOf(poor, frozen, '0.001')).toBe('400 validation_failed');
    expect(await codeOf(frozenPayer, closed, '5')).toBe('422 account_frozen');
    expect(await codeOf(poor, frozen, '100')).toBe('422 account_frozen');
    expect(await codeOf(poor, closed, '100')).toBe('422 account_closed');
    expect(await codeOf(poor, dollars, '100')).toBe('422 currency_mismatch');
    expect(await codeOf(poor, poor, '100')).toBe('422 same_account');
    expect(await codeOf(poor, rich, '1.01')).toBe('422 insufficient_funds');
    expect(await codeOf(poor, rich, '0.01')).toBe('422 amount_out_of_range');
    expect(await codeOf(await settlementId(), poor, '1')).toBe('404 not_found');
    expect(await codeOf(poor, await settlementId(), '1')).toBe('404 not_found');
  });
});

/** Of the payers' shard. */
async function settlementId(): Promise<string> {
  const sql = `SELECT id FROM finance.accounts WHERE tenant_id = '${tenant.id}' AND kind = 'SETTLEMENT' AND currency = 'EUR'`;
  const [s0] = service.config.shards;
  const { rows } = await runAsAdmin(s0!.primary.adminUrl, sql);
  return (rows as { id: string }[])[0]!.id;
}

describe('a pending transfer', () => {
  it('holds its amount, is posted in part, and releases the rest', async () => {
    const [from, to] = [await openAccount(alice, '100.00'), await openAccount(bob)];
    const held = await transfer({ fromAccountId: from, toAccountId: to, amount: '80.00', pending: true });
    expect(held.body).toMatchObject({ status: 'PENDING', postedAmount: null, completedAt: null });
    expect(held.body.expiresAt).toEqual(expect.any(String));
    expect(await account(from, held)).toMatchObject({ balance: '100.0000', available: '20.0000' });
    expect(await account(to, held)).toMatchObject({ balance: '0.0000' });
    const over = await transfer({ fromAccountId: from, toAccountId: to, amount: '20.01' });
    expect(over.body.code).toBe('insufficient_funds');
    const list = await tenant.client.get<{ items: object[] }>(
      `/v1/accounts/${from}/transactions?status=PENDING`,
      {
        token: tokenOf(held),
      },
    );
    expect(list.body.items).toMatchObject([
      { amount: '-80.0000', balanceAfter: null, transferId: held.body.id },
    ]);
    expect((await resolve(held.body.id, 'post', { amount: '80.01' })).body.code).toBe(
      'amount_exceeds_pending',
    );
    expect((await resolve(held.body.id, 'post', { amount: '0.001' })).status).toBe(400);
    const posted = await resolve(held.body.id, 'post', { amount: '50.00' });
    expect(posted).toMatchObject({
      status: 200,
      body: { status: 'COMPLETED', amount: '80.0000', postedAmount: '50.0000' },
    });
    expect(await account(from, posted)).toMatchObject({ balance: '50.0000', available: '50.0000' });
    expect(await account(to, posted)).toMatchObject({ balance: '50.0000' });
    expect((await resolve(held.body.id, 'void')).body.code).toBe('transfer_not_pending');
    expect((await resolve(held.body.id, 'post')).body.code).toBe('transfer_not_pending');
  });

  it('is voided', async () => {
    const [from, to] = [await openAccount(alice, '10.00'), await openAccount(bob)];
    const { id } = await hold(from, to, '10.00');
    const key = randomUUID();
    const voided = await resolve(id, 'void', {}, key);
    expect(voided).toMatchObject({ status: 200, body: { status: 'VOIDED', postedAmount: null } });
    const again = await resolve(id, 'void', {}, key);
    expect(again.text).toBe(voided.text);
    expect(again.headers.get('idempotent-replayed')).toBe('true');
    expect(await account(from, voided)).toMatchObject({ balance: '10.0000', available: '10.0000' });
    const list = await tenant.client.get<{ items: object[] }>(
      `/v1/accounts/${from}/transactions?status=FAILED`,
      {
        token: tokenOf(voided),
      },
    );
    expect(list.body.items).toMatchObject([{ amount: '-10.0000', balanceAfter: null, transferId: id }]);
  });

  it('expires by itself', async () => {
    const [from, to] = [await openAccount(alice, '10.00'), await openAccount(bob)];
    const { id } = await hold(from, to, '10.00', 1);
    await eventually('it is expired', async () => {
      const shown = await tenant.client.get<TransferBody>(`/v1/transfers/${id}`);
      return shown.body.status === 'EXPIRED';
    });
    await eventually('its amount is released', async () => {
      const shown = await tenant.client.get<AccountBody>(`/v1/accounts/${from}`);
      return shown.body.available === '10.0000';
    });
    expect((await resolve(id, 'post')).body.code).toBe('transfer_not_pending');
  });

  it('is resolved once, whoever races', async () => {
    const [from, to] = [await openAccount(alice, '1000.00'), await openAccount(bob)];
    for (let round = 0; round < 20; round += 1) {
      const { id } = await hold(from, to, '10.00');
      const answers = await Promise.all(
        Array.from({ length: 10 }, (_, index) => resolve(id, index % 2 === 0 ? 'post' : 'void')),
      );
      expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
      const others = answers.filter(({ status }) => status !== 200);
      expect(new Set(others.map(({ body }) => body.code))).toEqual(new Set(['transfer_not_pending']));
    }
  });

  it('is posted to no account that is frozen meanwhile, but released from one', async () => {
    const [from, to] = [await openAccount(alice, '10.00'), await openAccount(bob)];
    const { id } = await hold(from, to, '10.00');
    await tenant.client.patch(`/v1/accounts/${to}`, { status: 'FROZEN' });
    expect((await resolve(id, 'post')).body.code).toBe('account_frozen');
    await tenant.client.patch(`/v1/accounts/${from}`, { status: 'FROZEN' });
    expect((await resolve(id, 'void')).body.status).toBe('VOIDED');
  });

  it('says for how long it may be', async () => {
    const [from, to] = [await openAccount(alice, '10.00'), await openAccount(bob)];
    const body = { fromAccountId: from, toAccountId: to, amount: '1' };
    expect((await transfer({ ...body, timeoutSeconds: 5 })).status).toBe(400);
    for (const timeoutSeconds of [0, -1, 1.5, 2_592_001, '5']) {
      expect((await transfer({ ...body, pending: true, timeoutSeconds })).status).toBe(400);
    }
  });
});

describe('a key', () => {
  it('from a hundred callers moves once, and gives all of them the same answer', async () => {
    const [from, to] = [await openAccount(alice, '100.00'), await openAccount(bob)];
    const body = { fromAccountId: from, toAccountId: to, amount: '7.00' };
    const idempotencyKey = randomUUID();
    const answers = await Promise.all(Array.from({ length: 100 }, () => transfer(body, { idempotencyKey })));
    expect(new Set(answers.map(({ status, text }) => `${status} ${text}`)).size).toBe(1);
    expect(answers[0]?.status).toBe(201);
    expect(answers.filter(({ headers }) => headers.get('idempotent-replayed') === 'true')).toHaveLength(99);
    expect(await account(to, answers[0]!)).toMatchObject({ balance: '7.0000' });
  });

  it('of another body is refused, naming the field', async () => {
    const [from, to] = [await openAccount(alice, '100.00'), await openAccount(bob)];
    const body = { fromAccountId: from, toAccountId: to, amount: '7.00', reference: 'x' };
    const idempotencyKey = randomUUID();
    await transfer(body, { idempotencyKey });
    for (const [field, change] of [
      ['toAccountId', { toAccountId: await openAccount(bob) }],
      ['amount', { amount: '7.01' }],
      ['reference', { reference: 'y' }],
      ['pending', { pending: true }],
    ] as const) {
      const answer = await transfer({ ...body, ...change }, { idempotencyKey });
      expect(answer).toMatchObject({ status: 409, body: { code: 'idempotency_key_reused' } });
      expect(answer.body.detail).toContain(field);
    }
    const deposit = await tenant.client.post(
      `/v1/accounts/${from}/deposits`,
      { amount: '7.00' },
      { idempotencyKey },
    );
    expect(deposit.status).toBe(409);
    expect((await transfer({ ...body, amount: '7.0' }, { idempotencyKey })).status).toBe(201);
  });

  it('remembers a refusal, instance included, and none that is malformed', async () => {
    const [from, to] = [await openAccount(alice), await openAccount(bob)];
    const body = { fromAccountId: from, toAccountId: to, amount: '7.00' };
    const idempotencyKey = randomUUID();
    expect((await transfer({ ...body, amount: '0.001' }, { idempotencyKey })).status).toBe(400);
    const refused = await transfer(body, { idempotencyKey });
    expect(refused.body.code).toBe('insufficient_funds');
    await tenant.client.post(`/v1/accounts/${from}/deposits`, { amount: '100.00' });
    const again = await transfer(body, { idempotencyKey });
    expect(again.text).toBe(refused.text);
    expect(again.headers.get('idempotent-replayed')).toBe('true');
  });

  it('of a deposit and of a transfer at once leaves nobody in a deadlock', async () => {
    const [from, to] = [await openAccount(alice, '1000.00'), await openAccount(bob)];
    for (let round = 0; round < 15; round += 1) {
      const idempotencyKey = randomUUID();
      const answers = await Promise.all(
        Array.from({ length: 6 }, (_, index) =>
          index % 2 === 0
            ? transfer({ fromAccountId: from, toAccountId: to, amount: '1.00' }, { idempotencyKey })
            : tenant.client.post<TransferBody>(
                `/v1/accounts/${from}/deposits`,
                { amount: '1.00' },
                { idempotencyKey },
              ),
        ),
      );
      const statuses = answers.map(({ status }) => status).sort();
      expect(statuses).toEqual([201, 201, 201, 409, 409, 409]);
    }
  }, 60_000);
});

describe('many transfers in one request', () => {
  it('are answered each by itself, in order', async () => {
    const [from, to] = [await openAccount(alice, '10.00'), await openAccount(bob)];
    const one = { fromAccountId: from, toAccountId: to };
    const idempotencyKey = randomUUID();
    const transfers = [
      { ...one, amount: '4.00', idempotencyKey },
      { ...one, amount: '7.00' },
      { ...one, amount: '6.00' },
      { ...one, amount: '4.00', idempotencyKey },
      { ...one, amount: '0.001' },
      { ...one, toAccountId: randomUUID(), amount: '1.00' },
    ];
    const answer = await tenant.client.post<{
      results: { status: number; transfer?: TransferBody; problem?: TransferBody }[];
    }>('/v1/transfers/batch', { transfers });
    expect(answer.status).toBe(207);
    const { results } = answer.body;
    expect(results.map(({ status }) => status)).toEqual([201, 422, 201, 201, 400, 404]);
    expect(results[3]?.transfer).toEqual(results[0]?.transfer);
    expect(results[1]?.problem?.code).toBe('insufficient_funds');
    expect(await account(from, answer)).toMatchObject({ balance: '0.0000' });
  });

  it('may be a thousand with the longest keys and references, and no more', async () => {
    const [from, to] = [await openAccount(alice, '1000.00'), await openAccount(bob)];
    const many = (count: number) => ({
      transfers: Array.from({ length: count }, (_, index) => ({
        fromAccountId: from,
        toAccountId: to,
        amount: '1.00',
        reference: '€'.repeat(255),
        idempotencyKey: `${index}-`.padEnd(255, 'k'),
      })),
    });
    const answer = await tenant.client.post<{ results: { status: number }[] }>(
      '/v1/transfers/batch',
      many(1_000),
    );
    expect(answer.status).toBe(207);
    expect(new Set(answer.body.results.map(({ status }) => status))).toEqual(new Set([201]));
    expect(await account(to, answer)).toMatchObject({ balance: '1000.0000' });
    expect((await tenant.client.post('/v1/transfers/batch', many(1_001))).status).toBe(400);
  });

  it('are refused as a whole when one is malformed', async () => {
    const from = await openAccount(alice, '10.00');
    const good = { fromAccountId: from, toAccountId: await openAccount(bob), amount: '1.00' };
    const answer = await tenant.client.post('/v1/transfers/batch', {
      transfers: [good, { ...good, amount: 1 }],
    });
    expect(answer).toMatchObject({ status: 400, body: { code: 'validation_failed' } });
    const shown = await tenant.client.get(`/v1/accounts/${from}`, { userId: alice });
    expect(shown.body).toMatchObject({ balance: '10.0000' });
  });
});

describe('after all of that', () => {
  it('every ledger is sound', async () => {
    await expect(assertLedgerSound(service.config)).resolves.toBeUndefined();
  });
});
