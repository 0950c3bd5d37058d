import { randomUUID } from 'node:crypto';
import { beforeAll, describe, expect, it } from '@jest/globals';
// First: what it stops after the file must be gone before the cluster is.
import { GatewayProcess } from '../support/gateway-process.js';
import { decodeTokens } from '../../src/sharding/replication/consistency-token.js';
import { startOwnCluster } from '../support/cluster.js';
import { eventually } from '../support/eventually.js';
import { HttpClient, type HttpAnswer } from '../support/http-client.js';
import { WrittenAccount, type AccountState } from '../support/load/written-account.js';
import { checkLedgersAfterwards } from '../support/ledgers-afterwards.js';

const USER = 'alice';

/** Two processes on the same servers, with the tenant's key. */
let first: HttpClient;
let second: HttpClient;
let account: WrittenAccount;
/** Of the same user, through the second process; nobody writes it but where a test says so. */
let other: WrittenAccount;

beforeAll(async () => {
  const cluster = await startOwnCluster({ shards: 1, replicas: 1 });
  checkLedgersAfterwards(cluster.config);
  const config = { ...cluster.config, cache: { ttlMs: 600_000 } };
  const start = (): Promise<GatewayProcess> => GatewayProcess.start({ config, env: { LOG_LEVEL: 'warn' } });
  // One after the other: the first applies the migrations.
  const [one, two] = [await start(), await start()];
  const key = await one.createTenant('tokens');
  first = new HttpClient(one.url, key);
  second = new HttpClient(two.url, key);
  await eventually('the second process knows the tenant', async () => {
    return (await second.get('/v1/accounts')).status === 200;
  });
  account = await WrittenAccount.open(first, USER);
  other = await WrittenAccount.open(second, USER);
}, 90_000);

function sourceOf({ headers }: HttpAnswer<unknown>): string | null {
  return headers.get('x-shardgate-source');
}

/** In the name of the tenant's service, which wrote nothing itself: it sees no more than it must. */
async function keptBy(client: HttpClient, read: WrittenAccount, token?: string): Promise<void> {
  await eventually('the cache answers, with what was written', async () => {
    const answer = await read.read(client, { token });
    return sourceOf(answer) === 'cache' && answer.body.version === read.state.version;
  });
}

function writersOf(token: string | null): (string | undefined)[] {
  return decodeTokens(token ?? '').map(({ writer }) => writer);
}

describe('a read with a token', () => {
  it('of a write through the same process comes from the cache once its answer is kept, and is new', async () => {
    for (let round = 0; round < 10; round += 1) {
      const token = await account.write();
      await eventually('the cache answers', async () => {
        const answer = await account.read(first, { token });
        expect(answer.body).toMatchObject(account.state);
        return sourceOf(answer) === 'cache';
      });
    }
  });

  it('of a write through the same process comes from the cache at once where the write does not touch it', async () => {
    await eventually('the first read with the token is a hit', async () => {
      await keptBy(first, other);
      return sourceOf(await other.read(first, { token: await account.write() })) === 'cache';
    });
  });

  it('of a write through the other process is never older, and comes from a database the first time', async () => {
    for (let round = 0; round < 10; round += 1) {
      await keptBy(second, other);
      const token = await account.write();
      const answers = [await account.read(second, { token }), await other.read(second, { token })];
      expect(answers.map(({ body }) => body)).toMatchObject([account.state, other.state]);
      expect(answers.map(sourceOf)).not.toContain('cache');
    }
  });

  it('of writes through both, joined, is never older than either, through whichever', async () => {
    for (let round = 0; round < 10; round += 1) {
      for (const client of [first, second]) {
        for (const kept of [account, other]) await keptBy(client, kept);
      }
      const tokens = await Promise.all([account.write(), other.write()]);
      const token = (round % 2 === 0 ? tokens : tokens.reverse()).join(',');
      for (const client of [first, second]) {
        const shown = [await account.read(client, { token }), await other.read(client, { token })];
        expect(shown.map(({ body }) => body)).toMatchObject([account.state, other.state]);
      }
    }
  });
});

describe('the token of a write', () => {
  let active: WrittenAccount;

  beforeAll(async () => {
    active = await WrittenAccount.open(first, USER);
  });

  const deposit = (client: HttpClient, key: string, amount = '1.00') =>
    client.post<AccountState>(
      `/v1/accounts/${active.id}/deposits`,
      { amount },
      { userId: USER, idempotencyKey: key },
    );

  it('names its process, and is of nobody in particular where an answer is given again', async () => {
    const key = randomUUID();
    const answers = [];
    for (const client of [first, second, first]) answers.push(await deposit(client, key));
    expect(answers.map(({ status }) => status)).toEqual([201, 201, 201]);
    const [once, ...again] = answers.map(({ headers }) => writersOf(headers.get('x-consistency-token')));
    expect(once).toEqual([expect.any(String)]);
    expect(again).toEqual([[undefined], [undefined]]);
    const names = [await deposit(first, randomUUID()), await deposit(second, randomUUID())].map(
      ({ headers }) => writersOf(headers.get('x-consistency-token'))[0],
    );
    expect(names[0]).toBe(once?.[0]);
    expect(names[1]).not.toBe(names[0]);
  });

  it('names its process also where its key was looked for before', async () => {
    const body = { accountNumber: randomUUID().slice(0, 18), currency: 'EUR' };
    const opened = await first.post('/v1/accounts', body, { userId: USER, idempotencyKey: randomUUID() });
    expect(opened.status).toBe(201);
    expect(writersOf(opened.headers.get('x-consistency-token'))).toEqual([expect.any(String)]);
  });

  it('is of nobody in particular on a refusal: it may be for what another process wrote', async () => {
    const path = `/v1/accounts/${active.id}/withdrawals`;
    const body = { amount: '900000000.00' };
    const refused = await first.post(path, body, { userId: USER, idempotencyKey: randomUUID() });
    expect(refused.status).toBe(422);
    expect(writersOf(refused.headers.get('x-consistency-token'))).toEqual([undefined]);
  });
});
