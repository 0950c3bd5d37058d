import { randomUUID } from 'node:crypto';
import { afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { AccountsService, type TestTenant } from '../support/accounts-service.js';
import { eventually } from '../support/eventually.js';
import { GatewayProcess } from '../support/gateway-process.js';
import { SeededRandom } from '../support/hostile/seeded-random.js';
import { HttpClient, type HttpAnswer } from '../support/http-client.js';
import { assertLedgerSound } from '../support/ledger-check.js';
import { TestConnection } from '../support/scratch-shards.js';
import { AnswerThief } from '../support/two-phase/answer-thief.js';
import { HandMadeTransfer } from '../support/two-phase/hand-made-transfer.js';

interface BalancesRow {
  readonly currency: string;
  readonly accounts: number;
  readonly balance: string;
  readonly held: string;
  readonly settlement: string;
}

interface BalancesBody {
  readonly asOf: string;
  readonly rows: readonly BalancesRow[];
  readonly code?: string;
  readonly detail?: string;
}

/** A tenant with a user on each shard. */
interface Money {
  readonly tenant: TestTenant;
  /** Of shard `s0`, and of `s1`. */
  readonly alice: string;
  readonly zoe: string;
}

let service: AccountsService;

beforeAll(async () => {
  service = await AccountsService.start({ isLedgerChecked: false });
}, 60_000);

async function newMoney(settings: object = {}): Promise<Money> {
  const tenant = await service.newTenant(settings);
  return { tenant, alice: await service.userOn(tenant, 's0'), zoe: await service.userOn(tenant, 's1') };
}

async function openAccount(
  { tenant }: Money,
  userId: string,
  openingBalance: string,
  currency = 'EUR',
): Promise<string> {
  const body = { accountNumber: `R-${randomUUID().slice(0, 18)}`, currency, openingBalance };
  const answer = await tenant.client.post<{ id: string }>('/v1/accounts', body, { userId });
  if (answer.status !== 201) throw new Error(`Not created: ${answer.text}`);
  return answer.body.id;
}

function report(client: HttpClient, query = ''): Promise<HttpAnswer<BalancesBody>> {
  return client.get<BalancesBody>(`/v1/reports/balances${query}`);
}

async function rowsOf({ tenant }: Money, query = ''): Promise<readonly BalancesRow[]> {
  const answer = await report(tenant.client, query);
  expect(answer.status).toBe(200);
  return answer.body.rows;
}

async function done(answer: Promise<HttpAnswer>): Promise<HttpAnswer> {
  const { status, text } = await answer;
  if (status !== 200 && status !== 201) throw new Error(`Not done: ${text}`);
  return answer;
}

/** A row of so much money in all users' accounts. */
function row(currency: string, accounts: number, balance: string, held = '0.0000'): BalancesRow {
  return { currency, accounts, balance, held, settlement: balance === '0.0000' ? balance : `-${balance}` };
}

describe('the report of balances', () => {
  it('has no rows for a tenant without accounts, and says when and where it was read', async () => {
    const { client } = await service.newTenant();
    const before = Date.now();
    const { status, body, headers } = await report(client);
    expect(status).toBe(200);
    expect(body).toEqual({
      asOf: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      rows: [],
    });
    expect(Date.parse(body.asOf)).toBeGreaterThanOrEqual(before);
    expect(Date.parse(body.asOf)).toBeLessThanOrEqual(Date.now());
    expect(headers.get('x-shardgate-source')).toBe('primary');
    expect(headers.has('x-shardgate-shard')).toBe(false);
  });

  it('names the shard of a tenant that has one to itself', async () => {
    const tenant = await service.newTenant({ placement: { mode: 'dedicated', shardId: 's1' } });
    await openAccount({ tenant, alice: 'a', zoe: 'z' }, 'a', '3');
    const { body, headers } = await report(tenant.client);
    expect(body.rows).toEqual([row('EUR', 1, '3.0000')]);
    expect(headers.get('x-shardgate-shard')).toBe('s1');
  });

  it('sums each currency over both shards, whatever moved and whatever is held', async () => {
    const money = await newMoney();
    const { client } = money.tenant;
    const from = await openAccount(money, money.alice, '100');
    const to = await openAccount(money, money.zoe, '50.25');
    await openAccount(money, money.zoe, '1000', 'JPY');
    await openAccount(money, money.alice, '0', 'USD');
    const closed = await openAccount(money, money.zoe, '0');
    await done(client.patch(`/v1/accounts/${closed}`, { status: 'CLOSED' }));
    await done(client.post(`/v1/accounts/${to}/deposits`, { amount: '10' }));
    await done(client.post(`/v1/accounts/${from}/withdrawals`, { amount: '20' }));
    const transfer = { fromAccountId: from, toAccountId: to };
    await done(client.post('/v1/transfers', { ...transfer, amount: '30' }));
    await done(client.post('/v1/transfers', { ...transfer, amount: '15.5', pending: true }));
    const back = { fromAccountId: to, toAccountId: from, amount: '8', pending: true };
    const held = await done(client.post('/v1/transfers', back));
    const [eur, ...others] = [row('EUR', 3, '140.2500', '23.5000'), row('JPY', 1, '1000.0000')];
    expect(await rowsOf(money)).toEqual([eur, ...others, row('USD', 1, '0.0000')]);
    await done(client.post(`/v1/transfers/${String(held.body.id)}/post`, { amount: '5' }));
    expect(await rowsOf(money, '?currency=EUR')).toEqual([row('EUR', 3, '140.2500', '15.5000')]);
    expect(await rowsOf(money, '?currency=GBP')).toEqual([]);
  });

  it("never has another tenant's money in it", async () => {
    const [mine, theirs] = [await newMoney(), await newMoney()];
    await openAccount(mine, mine.alice, '1');
    await openAccount(mine, mine.zoe, '2');
    await openAccount(theirs, theirs.alice, '400');
    await openAccount(theirs, theirs.zoe, '800', 'USD');
    expect(await rowsOf(mine)).toEqual([row('EUR', 2, '3.0000')]);
    expect(await rowsOf(theirs)).toEqual([row('EUR', 1, '400.0000'), row('USD', 1, '800.0000')]);
  });

  it('is exact where a binary number would not be', async () => {
    const money = await newMoney({ subMinorUnits: true });
    for (const userId of [money.alice, money.zoe, money.zoe]) {
      await openAccount(money, userId, '9999999999999999.9999');
    }
    expect(await rowsOf(money)).toEqual([row('EUR', 3, '29999999999999999.9997')]);
  });

  it('refuses what is no currency, and options that it does not know', async () => {
    const { client } = await service.newTenant();
    for (const query of ['?currency=eur', '?currency=XQQ', '?currency=', '?currency=EUR&currency=USD']) {
      const answer = await report(client, query);
      expect(answer).toMatchObject({
        status: 400,
        body: { code: 'validation_failed', errors: [{ path: 'currency' }] },
      });
    }
    expect(await report(client, '?from=2026-01-01')).toMatchObject({ status: 400 });
  });

  it("is for the tenant's service: not for one of its users, nor for the operator", async () => {
    const { client } = await service.newTenant();
    const asUser = await client.get('/v1/reports/balances', { userId: 'alice' });
    expect(asUser).toMatchObject({ status: 403, body: { code: 'forbidden' } });
    expect(await report(service.operator)).toMatchObject({ status: 403, body: { code: 'forbidden' } });
  });
});

describe('the report of balances under load', () => {
  it('has all the money in every answer, while it moves within shards and between them', async () => {
    const money = await newMoney();
    const { tenant } = money;
    const clients = [tenant.client, await service.throughAnother(tenant)];
    const users = [money.alice, money.zoe, money.alice, money.zoe, money.alice, money.zoe];
    const accounts = await Promise.all(users.map((userId) => openAccount(money, userId, '1000')));
    const changing = await openAccount(money, money.zoe, '5', 'USD');
    const random = new SeededRandom(29);
    let isOver = false;
    const statuses = new Map<number, number>();
    const count = (answer: HttpAnswer): HttpAnswer => {
      statuses.set(answer.status, (statuses.get(answer.status) ?? 0) + 1);
      return answer;
    };
    const mover = async (client: HttpClient): Promise<void> => {
      while (!isOver) {
        const [fromAccountId, toAccountId] = random.shuffled(accounts);
        const pending = random.next() < 0.1;
        const body = { fromAccountId, toAccountId, amount: '1.25', pending };
        const { status, body: transfer } = count(await client.post('/v1/transfers', body));
        if (status !== 201 || !pending) continue;
        const how = random.next() < 0.5 ? 'post' : 'void';
        count(await client.post(`/v1/transfers/${String(transfer.id)}/${how}`, {}));
      }
    };
    const depositor = async (client: HttpClient): Promise<void> => {
      while (!isOver) {
        count(await client.post(`/v1/accounts/${changing}/deposits`, { amount: '1' }));
        count(await client.post(`/v1/accounts/${changing}/withdrawals`, { amount: '1' }));
      }
    };
    const load = [
      ...Array.from({ length: 10 }, (_, index) => mover(clients[index % 2]!)),
      depositor(clients[0]!),
    ];
    const answers: HttpAnswer<BalancesBody>[] = [];
    const asker = async (client: HttpClient): Promise<void> => {
      while (answers.length < 120) answers.push(await report(client));
    };
    await Promise.all(clients.map(asker));
    isOver = true;
    await Promise.all(load);
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
    const sums = answers.map(({ body }) =>
      body.rows.map(({ accounts, balance, settlement }) => `${accounts}: ${balance} ${settlement}`),
    );
    expect(new Set(sums.map(([eur]) => eur))).toEqual(new Set(['6: 6000.0000 -6000.0000']));
    expect(new Set(sums.map(([, usd]) => usd))).toEqual(new Set(['1: 5.0000 -5.0000', '1: 6.0000 -6.0000']));
    expect(answers.some(({ body }) => body.rows[0]?.held !== '0.0000')).toBe(true);
    expect([...statuses.keys()].sort()).toEqual([200, 201]);
    // Two in three go to the other shard.
    expect(statuses.get(201)).toBeGreaterThan(300);
    expect(await rowsOf(money, '?currency=EUR')).toEqual([row('EUR', 6, '6000.0000')]);
    await assertLedgerSound(service.config);
  }, 60_000);
});

describe('the report of balances and a transfer in doubt', () => {
  const whole = [row('EUR', 2, '20.0000')];
  let money: Money;
  let transfer: HandMadeTransfer;
  let admin: TestConnection;

  beforeAll(async () => {
    admin = await TestConnection.open(service.config.shards[0]!.primary.adminUrl);
  });

  afterEach(async () => {
    await admin.query('ROLLBACK');
    await transfer.end();
  });

  /** Both legs of a transfer, executed by hand. */
  async function beginTransfer(): Promise<void> {
    money = await newMoney();
    const from = await openAccount(money, money.alice, '10');
    const to = await openAccount(money, money.zoe, '10');
    const { id: tenantId } = money.tenant;
    transfer = await HandMadeTransfer.begin(service.config, { tenantId, from, to, amount: '7' });
  }

  /** Waits until a cut has the lock of the first shard, or waits for it. */
  function untilCut(isGranted: boolean): Promise<unknown> {
    const sql = `
      SELECT FROM pg_locks
      WHERE relation = 'shardgate.commit_records'::regclass AND mode = 'ShareLock' AND granted = $1`;
    return eventually('the cut is under way', async () => (await admin.query(sql, [isGranted])).length > 0);
  }

  it('has nothing of one that is not decided, and does not wait for it', async () => {
    await beginTransfer();
    await transfer.prepare();
    expect(await rowsOf(money)).toEqual(whole);
    await transfer.end();
    expect(await rowsOf(money)).toEqual(whole);
  });

  it('waits for one that is being decided, and has it whole', async () => {
    await beginTransfer();
    await transfer.record();
    await transfer.prepare();
    let isAnswered = false;
    const rows = rowsOf(money).finally(() => (isAnswered = true));
    await untilCut(false);
    await transfer.decide();
    await untilCut(true);
    expect(isAnswered).toBe(false);
    await transfer.finish();
    expect(await rows).toEqual(whole);
  });

  it('waits for one that is decided and not finished, and has it whole', async () => {
    await beginTransfer();
    await transfer.record();
    await transfer.prepare();
    await transfer.decide();
    let isAnswered = false;
    const rows = rowsOf(money).finally(() => (isAnswered = true));
    await untilCut(true);
    expect(isAnswered).toBe(false);
    await transfer.finish();
    expect(await rows).toEqual(whole);
  });

  it('is refused, naming it, while it is not finished in time; whole when recovery has finished it', async () => {
    await beginTransfer();
    await transfer.record();
    await transfer.prepare();
    await transfer.decide();
    // Recovery would write its own record first; a cut has the same lock.
    await admin.query('BEGIN');
    await admin.query('LOCK TABLE shardgate.commit_records IN SHARE MODE');
    const refused = await report(money.tenant.client);
    await admin.query('ROLLBACK');
    expect(refused).toMatchObject({ status: 503, body: { code: 'shard_unavailable' } });
    expect(refused.body.detail).toContain(`${transfer.gid} is in doubt`);
    expect(refused.headers.get('retry-after')).toBe('1');
    expect(refused.headers.get('content-type')).toContain('application/problem+json');
    const answer = await eventually('recovery has finished it', async () => {
      const next = await report(money.tenant.client);
      return next.status === 200 && next;
    });
    expect(answer.body.rows).toEqual(whole);
  }, 60_000);
});

describe('the report of balances without a shard', () => {
  it('is refused, naming the shard, and is there again with it', async () => {
    const money = await newMoney();
    await openAccount(money, money.alice, '1');
    await openAccount(money, money.zoe, '2');
    const [first, second] = service.config.shards;
    const { thief, url } = await AnswerThief.before(second!.primary.url);
    const shards = [first!, { ...second!, primary: { ...second!.primary, url } }];
    const gateway = await GatewayProcess.start({ config: { ...service.config, shards } });
    const client = new HttpClient(gateway.url, money.tenant.key);
    expect((await report(client)).body.rows).toEqual([row('EUR', 2, '3.0000')]);
    thief.steal(true);
    const refused = await report(client);
    expect(refused).toMatchObject({ status: 503, body: { code: 'shard_unavailable' } });
    expect(refused.body.detail).toContain('s1');
    expect(refused.headers.get('retry-after')).toBe('1');
    thief.stop();
    const answer = await eventually('the shard is back', async () => {
      const next = await report(client);
      return next.status === 200 && next;
    });
    expect(answer.body.rows).toEqual([row('EUR', 2, '3.0000')]);
  });
});
