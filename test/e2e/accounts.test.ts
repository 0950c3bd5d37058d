import { beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { AccountsService, type TestTenant } from '../support/accounts-service.js';
import type { HttpAnswer, HttpRequest } from '../support/http-client.js';
import { assertLedgerSound } from '../support/ledger-check.js';
import { runAsAdmin } from '../support/own-databases.js';

type Json = Record<string, unknown>;

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const INSTANT = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

let service: AccountsService;
let tenant: TestTenant;
let numbers = 0;

beforeAll(async () => {
  service = await AccountsService.start();
  tenant = await service.newTenant();
}, 60_000);

function newNumber(): string {
  numbers += 1;
  return `ACC-${numbers}`;
}

async function create(body: Json = {}, request: HttpRequest = {}): Promise<HttpAnswer> {
  const wanted = { accountNumber: newNumber(), currency: 'EUR', ...body };
  return tenant.client.post('/v1/accounts', wanted, { userId: 'alice', ...request });
}

/** An account that exists, and the token of its creation. */
async function account(body: Json = {}, userId = 'alice'): Promise<{ id: string; token: string }> {
  const answer = await create(body, { userId });
  expect(answer.status).toBe(201);
  return { id: String(answer.body.id), token: tokenOf(answer) };
}

/** Leaves no room for further deposits, past the gateway. @returns what undoes it */
async function fillSettlement(tenantId: string): Promise<() => Promise<void>> {
  const add = async (amount: string): Promise<void> => {
    const sql = `
      UPDATE finance.accounts SET balance = balance + ${amount}
      WHERE tenant_id = '${tenantId}' AND kind = 'SETTLEMENT'`;
    for (const { primary } of service.config.shards) await runAsAdmin(primary.adminUrl, sql);
  };
  const room = '-99999999999999999998.9999';
  await add(room);
  return () => add(room.slice(1));
}

function deposit(id: string, body: Json, request: HttpRequest = {}): Promise<HttpAnswer> {
  return tenant.client.post(`/v1/accounts/${id}/deposits`, body, request);
}

function withdraw(id: string, body: Json, request: HttpRequest = {}): Promise<HttpAnswer> {
  return tenant.client.post(`/v1/accounts/${id}/withdrawals`, body, request);
}

function setStatus(id: string, status: string, headers: Record<string, string> = {}): Promise<HttpAnswer> {
  return tenant.client.patch(`/v1/accounts/${id}`, { status }, { headers });
}

function tokenOf({ headers }: HttpAnswer): string {
  return headers.get('x-consistency-token') ?? '';
}

function itemsOf({ body }: HttpAnswer): Json[] {
  return body.items as Json[];
}

describe('a new account', () => {
  it('has exactly the shape of the contract, and its opening balance is a deposit', async () => {
    const answer = await create({ openingBalance: '100.5' });
    expect(answer.status).toBe(201);
    expect(answer.body).toEqual({
      id: expect.stringMatching(UUID),
      userId: 'alice',
      accountNumber: `ACC-${numbers}`,
      currency: 'EUR',
      balance: '100.5000',
      available: '100.5000',
      overdraftLimit: '0.0000',
      status: 'ACTIVE',
      version: expect.any(Number),
      createdAt: expect.stringMatching(INSTANT),
      updatedAt: expect.stringMatching(INSTANT),
    });
    const path = `/v1/accounts/${String(answer.body.id)}/transactions`;
    const list = await tenant.client.get(path, { token: tokenOf(answer) });
    expect(list.body).toEqual({
      items: [
        {
          id: expect.stringMatching(UUID),
          accountId: answer.body.id,
          type: 'DEPOSIT',
          status: 'COMPLETED',
          amount: '100.5000',
          balanceAfter: '100.5000',
          transferId: null,
          reference: null,
          actor: 'user:alice',
          executedAt: expect.stringMatching(INSTANT),
        },
      ],
      nextCursor: null,
    });
  });

  it('is read back by id, with its version as ETag, the shard and the source', async () => {
    const created = await create();
    const answer = await tenant.client.get(`/v1/accounts/${String(created.body.id)}`, {
      token: tokenOf(created),
    });
    expect(answer.body).toEqual(created.body);
    expect(answer.headers.get('etag')).toBe(`"${String(created.body.version)}"`);
    expect(answer.headers.get('x-shardgate-shard')).toBe(await service.shardOf(tenant, 'alice'));
    expect(answer.headers.get('x-shardgate-source')).toMatch(/^(replica|primary)$/);
  });

  it('keeps an IBAN in its electronic format, under which it is found however it is written', async () => {
    const created = await create({ accountNumber: 'de89 3704 0044 0532 0130 00' });
    expect(created.body.accountNumber).toBe('DE89370400440532013000');
    const found = await tenant.client.get(
      '/v1/accounts?accountNumber=DE89%203704%200044%200532%200130%2000',
      {
        token: tokenOf(created),
      },
    );
    expect(itemsOf(found)).toEqual([created.body]);
    const again = await create({ accountNumber: 'DE89370400440532013000' }, { userId: 'bob' });
    expect(again.body.code).toBe('account_number_taken');
  });

  it('may have the number of another tenant’s account', async () => {
    const other = await service.newTenant();
    const body = { accountNumber: `ACC-${numbers}`, currency: 'EUR' };
    expect((await other.client.post('/v1/accounts', body, { userId: 'alice' })).status).toBe(201);
  });

  it('is not made when its opening balance cannot be posted, and its number stays free', async () => {
    const { id: tenantId, client } = await service.newTenant();
    const body = { accountNumber: 'A', currency: 'EUR', openingBalance: '1' };
    expect((await client.post('/v1/accounts', body, { userId: 'alice' })).status).toBe(201);
    const restore = await fillSettlement(tenantId);
    const request = { userId: 'alice', idempotencyKey: 'k' };
    const refused = await client.post('/v1/accounts', { ...body, accountNumber: 'B' }, request);
    expect(refused.body.code).toBe('amount_out_of_range');
    await restore();
    const replay = await client.post('/v1/accounts', { ...body, accountNumber: 'B' }, request);
    expect([replay.text, replay.headers.get('idempotent-replayed')]).toEqual([refused.text, 'true']);
    const free = await client.post('/v1/accounts', { ...body, accountNumber: 'B' }, { userId: 'bob' });
    expect(free.status).toBe(201);
  });

  it('may begin with the largest balance there is, as may the next one', async () => {
    const { client } = await service.newTenant({ subMinorUnits: true });
    for (const accountNumber of ['A', 'B']) {
      const body = { accountNumber, currency: 'EUR', openingBalance: '9999999999999999.9999' };
      const answer = await client.post('/v1/accounts', body, { userId: 'alice' });
      expect(answer.body.balance).toBe('9999999999999999.9999');
    }
  });
});

describe('lists of accounts', () => {
  it('show a user’s own, and without a user all of the tenant’s, page by page, settlement accounts never', async () => {
    const { client } = await service.newTenant();
    const users = ['a', 'b', 'c', 'd', 'e', 'f', 'g'];
    const created = await Promise.all(
      users.map((userId) =>
        client.post(
          '/v1/accounts',
          { accountNumber: `N-${userId}`, currency: 'EUR', openingBalance: '1.00' },
          { userId },
        ),
      ),
    );
    const token = created.map(tokenOf).join(',');
    const own = await client.get('/v1/accounts', { userId: 'c', token });
    expect(own.body).toEqual({ items: [created[2]?.body], nextCursor: null });
    const seen: Json[] = [];
    for (let cursor: string | null = ''; cursor !== null;) {
      const page: HttpAnswer = await client.get(
        `/v1/accounts?limit=3${cursor === '' ? '' : `&cursor=${cursor}`}`,
        {
          token,
        },
      );
      expect(itemsOf(page).length).toBeLessThanOrEqual(3);
      seen.push(...itemsOf(page));
      cursor = page.body.nextCursor as string | null;
    }
    const byId = (a: Json, b: Json) => String(a.id).localeCompare(String(b.id));
    expect(seen).toEqual(created.map(({ body }) => body).sort(byId));
  });

  it('name no missing shard while all are there', async () => {
    const answer = await tenant.client.get('/v1/accounts?partial=true&limit=1');
    expect(answer.body.missingShards).toEqual([]);
  });

  it('find by number only what the acting user may see', async () => {
    const { token } = await account({ accountNumber: 'FIND-1' });
    const path = '/v1/accounts?accountNumber=FIND-1';
    expect(itemsOf(await tenant.client.get(path, { token }))).toHaveLength(1);
    expect(itemsOf(await tenant.client.get(path, { token, userId: 'alice' }))).toHaveLength(1);
    expect(itemsOf(await tenant.client.get(path, { token, userId: 'bob' }))).toHaveLength(0);
    expect(itemsOf(await tenant.client.get('/v1/accounts?accountNumber=NOBODY', { token }))).toHaveLength(0);
  });
});

describe('deposits and withdrawals', () => {
  it('move money, name who did it, and are listed newest first and filtered', async () => {
    const { id } = await account({ openingBalance: '10' });
    const paid = await deposit(
      id,
      { amount: '2.50', reference: 'Invoice 1' },
      { headers: { 'x-actor': 'clerk 7' } },
    );
    expect(paid.body).toMatchObject({
      amount: '2.5000',
      balanceAfter: '12.5000',
      reference: 'Invoice 1',
      actor: 'clerk 7',
    });
    const taken = await withdraw(id, { amount: '12.5' }, { userId: 'alice' });
    expect(taken.body).toMatchObject({ type: 'WITHDRAW', amount: '-12.5000', balanceAfter: '0.0000' });
    const token = tokenOf(taken);
    const list = (query: string) => tenant.client.get(`/v1/accounts/${id}/transactions?${query}`, { token });
    expect(itemsOf(await list('')).map((entry) => entry.amount)).toEqual(['-12.5000', '2.5000', '10.0000']);
    expect(itemsOf(await list('type=WITHDRAW'))).toEqual([taken.body]);
    expect(itemsOf(await list('status=PENDING'))).toEqual([]);
    const at = String(taken.body.executedAt);
    expect(itemsOf(await list(`from=${at}`)).map((entry) => entry.id)).toContain(taken.body.id);
    expect(itemsOf(await list(`to=${at}`)).map((entry) => entry.id)).not.toContain(taken.body.id);
    const one = await tenant.client.get(`/v1/transactions/${String(paid.body.id)}`, { token });
    expect(one.body).toEqual(paid.body);
  });

  it.each([
    ['EUR', '0.01', 201],
    ['EUR', '0.001', 400],
    ['EUR', '1.2000', 201],
    ['JPY', '5', 201],
    ['JPY', '5.0', 201],
    ['JPY', '5.1', 400],
    ['KWD', '0.001', 201],
  ])('in %s take %s or refuse it: %d', async (currency, amount, status) => {
    const { id } = await account({ currency });
    expect((await deposit(id, { amount })).status).toBe(status);
  });

  it('take four fraction digits for a tenant with sub-minor units', async () => {
    const { client } = await service.newTenant({ subMinorUnits: true });
    const body = { accountNumber: '1', currency: 'JPY', openingBalance: '0.0001' };
    const created = await client.post('/v1/accounts', body, { userId: 'alice' });
    expect(created.body.balance).toBe('0.0001');
  });

  it('refuse to leave the range of amounts', async () => {
    const { id } = await account({ openingBalance: '9999999999999999.99' });
    expect((await deposit(id, { amount: '1' })).body).toMatchObject({
      code: 'amount_out_of_range',
      status: 422,
    });
    expect((await withdraw(id, { amount: '9999999999999999.99' })).status).toBe(201);
  });

  it('refuse an overdraft, in a problem document', async () => {
    const { id } = await account({ openingBalance: '10' });
    const answer = await withdraw(id, { amount: '10.01' });
    expect(answer.headers.get('content-type')).toContain('application/problem+json');
    expect(answer.body).toMatchObject({
      type: expect.any(String),
      title: expect.any(String),
      status: 422,
      detail: expect.any(String),
      instance: expect.any(String),
      code: 'insufficient_funds',
    });
    expect(answer.text).not.toContain('10.01');
  });
});

describe('the status of an account', () => {
  it('keeps money still while frozen, and lets it move again when active', async () => {
    const { id } = await account({ openingBalance: '10' });
    expect((await setStatus(id, 'FROZEN')).body.status).toBe('FROZEN');
    expect((await deposit(id, { amount: '1' })).body.code).toBe('account_frozen');
    expect((await withdraw(id, { amount: '100' })).body.code).toBe('account_frozen');
    expect((await setStatus(id, 'ACTIVE')).status).toBe(200);
    expect((await deposit(id, { amount: '1' })).status).toBe(201);
  });

  it('becomes CLOSED for an empty account only, and for good', async () => {
    const { id } = await account({ openingBalance: '10' });
    expect((await setStatus(id, 'CLOSED')).body.code).toBe('account_not_empty');
    await withdraw(id, { amount: '10' });
    expect((await setStatus(id, 'CLOSED')).status).toBe(200);
    expect((await setStatus(id, 'ACTIVE')).body.code).toBe('account_closed');
    expect((await deposit(id, { amount: '1' })).body.code).toBe('account_closed');
  });

  it('depends on If-Match where it is given', async () => {
    const created = await create();
    const [id, version] = [String(created.body.id), String(created.body.version)];
    const changed = await setStatus(id, 'FROZEN', { 'if-match': `"${version}"` });
    expect(changed.headers.get('etag')).toBe(`"${Number(version) + 1}"`);
    const late = await setStatus(id, 'ACTIVE', { 'if-match': `"${version}"` });
    expect([late.status, late.body.code]).toEqual([412, 'version_conflict']);
    expect((await setStatus(id, 'ACTIVE', { 'if-match': version })).status).toBe(400);
  });

  it('is set for many accounts at once, and those that cannot have it are named', async () => {
    const users = [await service.userOn(tenant, 's0'), await service.userOn(tenant, 's1')];
    const [first, second, full] = await Promise.all([
      account({}, users[0]),
      account({}, users[1]),
      account({ openingBalance: '1' }, users[1]),
    ]);
    const unknown = randomUUID();
    const answer = await tenant.client.patch('/v1/accounts', {
      updates: [
        { id: first.id, status: 'CLOSED' },
        { id: second.id, status: 'FROZEN' },
        { id: full.id, status: 'CLOSED' },
        { id: unknown, status: 'FROZEN' },
      ],
    });
    const { updated, failed } = answer.body as { updated: number; failed: unknown[] };
    expect(updated).toBe(2);
    expect(failed).toHaveLength(2);
    expect(failed).toEqual(
      expect.arrayContaining([
        { id: full.id, code: 'account_not_empty' },
        { id: unknown, code: 'not_found' },
      ]),
    );
    const token = tokenOf(answer);
    const statuses = await Promise.all(
      [first, second, full].map(({ id }) => tenant.client.get(`/v1/accounts/${id}`, { token })),
    );
    expect(statuses.map(({ body }) => body.status)).toEqual(['CLOSED', 'FROZEN', 'ACTIVE']);
  });
});

describe('an idempotency key', () => {
  it('gives the first answer again, byte for byte, with the header that says so', async () => {
    const { id } = await account();
    const request = { idempotencyKey: 'same' };
    const first = await deposit(id, { amount: '5', reference: 'x' }, request);
    const again = await deposit(id, { amount: '5.00', reference: 'x' }, request);
    expect([again.status, again.text]).toEqual([201, first.text]);
    expect(first.headers.has('idempotent-replayed')).toBe(false);
    expect(again.headers.get('idempotent-replayed')).toBe('true');
    expect(again.headers.has('x-consistency-token')).toBe(true);
  });

  it('remembers a refusal, also when the reason is gone', async () => {
    const { id } = await account();
    const request = { idempotencyKey: 'poor' };
    const first = await withdraw(id, { amount: '5' }, request);
    expect(first.status).toBe(422);
    await deposit(id, { amount: '100' });
    const again = await withdraw(id, { amount: '5' }, request);
    expect([again.status, again.text]).toEqual([422, first.text]);
    expect(again.headers.get('idempotent-replayed')).toBe('true');
    expect(again.headers.get('content-type')).toContain('application/problem+json');
  });

  it.each([
    ['amount', { amount: '6', reference: 'r' }],
    ['reference', { amount: '5', reference: 's' }],
    ['reference', { amount: '5' }],
  ])('of another %s is refused, naming the field', async (field, body) => {
    const { id } = await account();
    const request = { idempotencyKey: randomUUID() };
    expect((await deposit(id, { amount: '5', reference: 'r' }, request)).status).toBe(201);
    const answer = await deposit(id, body, request);
    expect([answer.status, answer.body.code]).toEqual([409, 'idempotency_key_reused']);
    expect(answer.body.detail).toContain(field);
  });

  it('of another operation or account of the same owner is refused', async () => {
    const [a, b] = [await account({}, 'olga'), await account({}, 'olga')];
    const request = { idempotencyKey: 'owner-key' };
    expect((await deposit(a.id, { amount: '5' }, request)).status).toBe(201);
    expect((await withdraw(a.id, { amount: '5' }, request)).body.detail).toContain('operation');
    expect((await deposit(b.id, { amount: '5' }, request)).body.detail).toContain('accountId');
  });

  it('is one owner’s: another owner’s request with the same key is another request', async () => {
    const [a, b] = [await account({}, 'otto'), await account({}, 'olive')];
    const request = { idempotencyKey: 'common' };
    expect((await deposit(a.id, { amount: '5' }, request)).status).toBe(201);
    const other = await deposit(b.id, { amount: '5' }, request);
    expect([other.status, other.headers.has('idempotent-replayed')]).toEqual([201, false]);
  });

  it('remembers that a number was taken', async () => {
    const { token } = await account({ accountNumber: 'TAKEN-1' });
    const request = { userId: 'bob', idempotencyKey: 'taken', token };
    const first = await create({ accountNumber: 'TAKEN-1' }, request);
    const again = await create({ accountNumber: 'TAKEN-1' }, request);
    expect([first.status, again.text]).toEqual([409, first.text]);
    expect(again.headers.get('idempotent-replayed')).toBe('true');
  });

  it('is not used up by malformed input', async () => {
    const { id } = await account();
    const request = { idempotencyKey: 'fixable' };
    expect((await deposit(id, { amount: '5.001' }, request)).status).toBe(400);
    expect((await deposit(id, { amount: '5' }, request)).status).toBe(201);
  });

  it.each([
    ['somebody else’s account', () => account({}, 'bob').then(({ id }) => id), { userId: 'alice' }],
    ['an account that is not there', () => Promise.resolve(randomUUID()), { userId: 'alice' }],
    [
      'an account that is not there, for the tenant’s service',
      () => Promise.resolve('01900000-0000-8001-8000-000000000001'),
      {},
    ],
  ])('remembers that %s was not found', async (_, idOf, request) => {
    const id = await idOf();
    const keyed = { ...request, idempotencyKey: randomUUID() };
    const first = await deposit(id, { amount: '5' }, keyed);
    const again = await deposit(id, { amount: '5' }, keyed);
    expect([first.status, again.text]).toEqual([404, first.text]);
    expect(again.headers.get('idempotent-replayed')).toBe('true');
  });
});

describe('what is somebody else’s', () => {
  it('is not found by another user', async () => {
    const { id, token } = await account({ openingBalance: '1' });
    const list = await tenant.client.get(`/v1/accounts/${id}/transactions`, { token });
    const entry = String(itemsOf(list)[0]?.id);
    const request = { userId: 'bob', token };
    const answers = [
      await tenant.client.get(`/v1/accounts/${id}`, request),
      await tenant.client.get(`/v1/accounts/${id}/transactions`, request),
      await tenant.client.get(`/v1/transactions/${entry}`, request),
      await deposit(id, { amount: '1' }, request),
      await withdraw(id, { amount: '1' }, request),
      await tenant.client.patch(`/v1/accounts/${id}`, { status: 'FROZEN' }, request),
    ];
    expect(answers.map(({ status, body }) => [status, body.code])).toEqual(
      answers.map(() => [404, 'not_found']),
    );
  });

  it('is not found by another tenant', async () => {
    const { id } = await account();
    const { client } = await service.newTenant();
    const answers = [
      await client.get(`/v1/accounts/${id}`),
      await client.get(`/v1/accounts/${id}`, { userId: 'alice' }),
      await client.get(`/v1/accounts/${id}/transactions`),
      await client.post(`/v1/accounts/${id}/deposits`, { amount: '1' }),
      await client.patch(`/v1/accounts/${id}`, { status: 'FROZEN' }),
    ];
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 404));
  });
});

describe('bad input', () => {
  it.each([
    ['no currency', { currency: undefined }, 'currency'],
    ['an unknown currency', { currency: 'EURO' }, 'currency'],
    ['a currency in lower case', { currency: 'eur' }, 'currency'],
    ['no number', { accountNumber: undefined }, 'accountNumber'],
    ['an empty number', { accountNumber: '' }, 'accountNumber'],
    ['a number of 35 characters', { accountNumber: 'x'.repeat(35) }, 'accountNumber'],
    ['an IBAN with a wrong check digit', { accountNumber: 'DE88370400440532013000' }, 'accountNumber'],
    ['a number with a control character', { accountNumber: 'A\u0000B' }, 'accountNumber'],
    ['a JSON number as amount', { openingBalance: 100 }, 'openingBalance'],
    ['a negative amount', { openingBalance: '-1' }, 'openingBalance'],
    ['an exponent', { openingBalance: '1e3' }, 'openingBalance'],
    ['NaN', { openingBalance: 'NaN' }, 'openingBalance'],
    ['seventeen integer digits', { openingBalance: '10000000000000000' }, 'openingBalance'],
    ['a fraction finer than the currency', { openingBalance: '1.001' }, 'openingBalance'],
    ['an unknown field', { overdraft: '5' }, 'overdraft'],
  ])('of an account, %s, is named', async (_, body, path) => {
    const answer = await create(body);
    expect([answer.status, answer.body.code]).toEqual([400, 'validation_failed']);
    expect((answer.body.errors as Json[]).map((fault) => fault.path)).toContain(path);
  });

  it.each([
    ['zero', { amount: '0' }, 'amount'],
    ['zeros', { amount: '0.00' }, 'amount'],
    ['a sign', { amount: '+1' }, 'amount'],
    ['a JSON number', { amount: 1 }, 'amount'],
    ['null', { amount: null }, 'amount'],
    ['nothing', {}, 'amount'],
    ['a reference that is too long', { amount: '1', reference: 'x'.repeat(256) }, 'reference'],
    ['a reference with NUL', { amount: '1', reference: '\u0000' }, 'reference'],
  ])('of a deposit, %s, is named', async (_, body, path) => {
    const { id } = await account();
    const answer = await deposit(id, body);
    expect(answer.status).toBe(400);
    expect((answer.body.errors as Json[]).map((fault) => fault.path)).toContain(path);
  });

  it('lists every fault of a request', async () => {
    const answer = await create({ accountNumber: '', openingBalance: '-1' });
    const paths = (answer.body.errors as Json[]).map((fault) => fault.path);
    expect(paths).toEqual(expect.arrayContaining(['accountNumber', 'openingBalance']));
  });

  it.each([
    ['GET', '/v1/accounts/nonsense', 400],
    ['GET', `/v1/accounts/${randomUUID()}`, 404],
    ['GET', `/v1/transactions/${randomUUID()}`, 404],
    ['GET', '/v1/accounts?limit=0', 400],
    ['GET', '/v1/accounts?limit=501', 400],
    ['GET', '/v1/accounts?cursor=nonsense', 400],
    ['GET', '/v1/accounts?partial=maybe', 400],
    ['GET', '/v1/accounts?accountNumber=%00', 400],
    ['GET', '/v1/accounts/01900000-0000-8001-8000-000000000001/transactions', 404],
    ['GET', '/v1/accounts/01900000-0000-8001-8000-000000000001/transactions?from=yesterday', 400],
    ['GET', '/v1/accounts/01900000-0000-8001-8000-000000000001/transactions?type=GIFT', 400],
  ])('%s %s is answered %d', async (method, path, status) => {
    expect((await tenant.client.send(method, path, {})).status).toBe(status);
  });

  it('without the user that a creation needs is refused as scope_missing', async () => {
    const answer = await tenant.client.post('/v1/accounts', { accountNumber: 'X', currency: 'EUR' });
    expect([answer.status, answer.body.code]).toEqual([400, 'scope_missing']);
  });

  it('of a status change is refused', async () => {
    const { id } = await account();
    expect((await setStatus(id, 'GONE')).status).toBe(400);
    expect((await setStatus(randomUUID(), 'FROZEN')).status).toBe(404);
  });
});

describe('after all of that', () => {
  it('every ledger is sound', async () => {
    await expect(assertLedgerSound(service.config)).resolves.toBeUndefined();
  });
});
