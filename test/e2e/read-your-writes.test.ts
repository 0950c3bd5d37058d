import { randomBytes } from 'node:crypto';
import { beforeAll, describe, expect, it } from '@jest/globals';
// First: what it stops after the file must be gone before the cluster is.
import { GatewayProcess, OPERATOR_KEY } from '../support/gateway-process.js';
import { startOwnCluster } from '../support/cluster.js';
import { eventually } from '../support/eventually.js';
import { HttpClient, type HttpAnswer, type HttpRequest } from '../support/http-client.js';
import { holdReplicasBehind } from '../support/load/held-replicas.js';
import { howMuch } from '../support/soak.js';
import { WrittenAccount, type AccountState } from '../support/load/written-account.js';
import { checkLedgersAfterwards } from '../support/ledgers-afterwards.js';

/** Reads with a token that follow a write at once; each is one try. */
const TRIES = howMuch({ short: 2_500, soak: 10_000 });
const CLIENTS = 32;
const TOKEN_READS_PER_WRITE = 4;
const REPLICAS_BEHIND_MS = 2_000;
const TENANT = 'writers';

/** A read that showed something else than what had been written, as a line for people. */
type Stale = string;

/** The process that writes, and another one on the same servers; both with the tenant's key. */
let first: HttpClient;
let second: HttpClient;
let operator: HttpClient;

beforeAll(async () => {
  const cluster = await startOwnCluster();
  checkLedgersAfterwards(cluster.config);
  const start = (): Promise<GatewayProcess> =>
    GatewayProcess.start({ config: cluster.config, env: { LOG_LEVEL: 'warn' } });
  // One after the other: the first applies the migrations.
  const [writing, other] = [await start(), await start()];
  const key = await writing.createTenant(TENANT);
  first = new HttpClient(writing.url, key);
  second = new HttpClient(other.url, key);
  operator = new HttpClient(writing.url, OPERATOR_KEY);
  await eventually('the second process knows the tenant', async () => {
    return (await second.get('/v1/accounts')).status === 200;
  });
  await holdReplicasBehind(cluster, REPLICAS_BEHIND_MS);
}, 90_000);

function newUser(): string {
  return `u-${randomBytes(5).toString('hex')}`;
}

async function userOn(shardId: string): Promise<string> {
  for (;;) {
    const userId = newUser();
    const path = `/v1/admin/route?tenantId=${TENANT}&userId=${userId}`;
    if ((await operator.get<{ shardId: string }>(path)).body.shardId === shardId) return userId;
  }
}

/** As many accounts of as many users, half of them on each shard. */
function openAccounts(count: number): Promise<WrittenAccount[]> {
  return Promise.all(
    Array.from({ length: count }, async (_, index) =>
      WrittenAccount.open(first, await userOn(index % 2 === 0 ? 's0' : 's1')),
    ),
  );
}

function sameState(shown: AccountState | undefined, expected: AccountState): boolean {
  return (
    shown?.id === expected.id &&
    shown.balance === expected.balance &&
    shown.status === expected.status &&
    shown.version === expected.version
  );
}

function staleIf(isStale: boolean, what: string, answer: HttpAnswer<unknown>): Stale[] {
  if (!isStale) return [];
  return [`${what}: ${answer.status} from ${answer.headers.get('x-shardgate-source') ?? 'nowhere'}`];
}

async function singleRead(account: WrittenAccount, client: HttpClient, request: HttpRequest) {
  const expected = account.state;
  const answer = await account.read(client, request);
  return staleIf(!sameState(answer.body, expected), 'account', answer);
}

async function accountList(account: WrittenAccount, client: HttpClient, request: HttpRequest) {
  const expected = account.state;
  const answer = await client.get<{ items: AccountState[] }>('/v1/accounts', {
    ...request,
    userId: account.userId,
  });
  return staleIf(!sameState(answer.body.items[0], expected), 'accounts', answer);
}

async function transactionList(account: WrittenAccount, client: HttpClient, request: HttpRequest) {
  const expected = account.latestDepositId;
  const path = `/v1/accounts/${account.id}/transactions?limit=2`;
  const answer = await client.get<{ items: { id: string }[] }>(path, request);
  return staleIf(answer.body.items[0]?.id !== expected, 'transactions', answer);
}

/** The reads of one write: with its token in another name and process, without one in the writer's own. */
function readsAfter(account: WrittenAccount, token: string, turn: number): Promise<Stale[]>[] {
  const own = {
    userId: account.userId,
    ...(turn % 2 === 0 && { headers: { 'cache-control': 'no-cache' } }),
  };
  const ownReads = [singleRead, accountList, transactionList];
  return [
    // The tenant's service wrote nothing itself: only the token can tell what it must see.
    singleRead(account, first, { token }),
    singleRead(account, second, { token }),
    accountList(account, turn % 2 === 0 ? first : second, { token }),
    transactionList(account, turn % 2 === 0 ? second : first, { token }),
    ownReads[turn % ownReads.length]!(account, first, own),
  ];
}

describe(`with the replicas held ${REPLICAS_BEHIND_MS} ms behind, a read that follows a write at once`, () => {
  it(`never shows the older state in ${TRIES} tries with the token, nor without it to the same user in the same process`, async () => {
    const accounts = await openAccounts(CLIENTS);
    const writes = Math.ceil(TRIES / TOKEN_READS_PER_WRITE);
    const stale: Stale[] = [];
    let written = 0;
    let reads = 0;
    await Promise.all(
      accounts.map(async (account) => {
        for (let turn = 0; written < writes; turn += 1) {
          written += 1;
          const token = await account.write();
          const found = await Promise.all(readsAfter(account, token, turn));
          reads += found.length;
          stale.push(...found.flat());
        }
      }),
    );
    expect(stale).toEqual([]);
    expect(reads).toBeGreaterThanOrEqual(TRIES + writes);
  }, 240_000);

  it('shows the writes of both shards in one list, with their tokens joined', async () => {
    const pairs = await Promise.all(Array.from({ length: 8 }, () => openAccounts(2)));
    const isIn = (list: HttpAnswer<{ items: AccountState[] }>, account: WrittenAccount): boolean =>
      list.body.items.some((shown) => sameState(shown, account.state));
    const rounds = pairs.map(async (pair) => {
      const seen: boolean[] = [];
      for (let round = 0; round < 12; round += 1) {
        const token = (await Promise.all(pair.map((account) => account.write()))).join(',');
        const lists = await Promise.all(
          [first, second].map((client) =>
            client.get<{ items: AccountState[] }>('/v1/accounts?limit=500', { token }),
          ),
        );
        seen.push(...lists.flatMap((list) => pair.map((account) => isIn(list, account))));
      }
      return seen;
    });
    const seen = (await Promise.all(rounds)).flat();
    expect(seen).toHaveLength(8 * 12 * 4);
    expect(seen.filter((isSeen) => !isSeen)).toEqual([]);
  }, 60_000);

  it('lags without a token and with Cache-Control: no-cache when the tenant’s service reads: it comes from those replicas', async () => {
    const accounts = await openAccounts(16);
    // An account itself must have come to the replicas, so that an older state of it can be read there.
    await Promise.all(
      accounts.map((account) =>
        eventually('the account is on its replica', async () => {
          const answer = await account.read(first, { headers: { 'cache-control': 'no-cache' } });
          return answer.headers.get('x-shardgate-source') === 'replica' && answer.status === 200;
        }),
      ),
    );
    const reads = accounts.flatMap((account) =>
      [first, second].map((client) => async () => {
        await account.write();
        const answer = await account.read(client, { headers: { 'cache-control': 'no-cache' } });
        return {
          source: answer.headers.get('x-shardgate-source'),
          isOlder: answer.body.version < account.state.version,
        };
      }),
    );
    const answers = [];
    for (const read of reads) answers.push(await read());
    expect(new Set(answers.map(({ source }) => source))).toEqual(new Set(['replica']));
    expect(answers.filter(({ isOlder }) => isOlder).length).toBeGreaterThan(answers.length * 0.9);
  }, 60_000);

  it('is answered by a replica again once that shows the write, and never shows less on the way', async () => {
    const accounts = await openAccounts(16);
    const stale: Stale[] = [];
    const sources = await Promise.all(
      accounts.map(async (account, index) => {
        const token = await account.write();
        // In turn: with the token, and in the writer's own name without it.
        const headers = { 'cache-control': 'no-cache' };
        const request = index % 2 === 0 ? { token, headers } : { userId: account.userId, headers };
        return eventually('the replica answers', async () => {
          const answer = await account.read(first, request);
          stale.push(...staleIf(!sameState(answer.body, account.state), 'account', answer));
          const source = answer.headers.get('x-shardgate-source');
          return source === 'replica' && source;
        });
      }),
    );
    expect(stale).toEqual([]);
    expect(new Set(sources)).toEqual(new Set(['replica']));
  }, 60_000);
});
