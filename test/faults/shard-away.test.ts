import { beforeAll, describe, expect, it } from '@jest/globals';
import pLimit from 'p-limit';
import { mintGid } from '../../src/sharding/transactions/gid.js';
// First: the processes that it stops after the file must be gone before the cluster is.
import { BankSite, type BankAccount } from '../support/bank/bank-site.js';
import { BankLedger } from '../support/bank/bank-ledger.js';
import { eventually } from '../support/eventually.js';
import type { HttpAnswer } from '../support/http-client.js';
import { assertLedgerSound } from '../support/ledger-check.js';
import { runAsAdmin } from '../support/own-databases.js';
import { TestConnection } from '../support/scratch-shards.js';

/** The one that would have to decide, and the one that holds its two accounts until it does. */
const AWAY = 's0';
const HELD_PLACE = 1;

const ACCOUNTS = 80;
const CALLERS = 32;
/** So many that who waited for the held accounts with each batch would take longer than these are tried. */
const TRANSFERS = 1_600;

interface TransferBody {
  readonly code?: string;
}

let site: BankSite;
/** Of the shard that stays. */
let hot: readonly [BankAccount, BankAccount];
let free: readonly BankAccount[];
/** The gateway's own login there. */
let login: TestConnection;

beforeAll(async () => {
  site = await BankSite.start(1);
  const opened = await pLimit(CALLERS).map([...Array(ACCOUNTS).keys()], (index) =>
    site.open({ userId: `u-${index}`, number: `A-${index}`, currency: 'EUR', openingBalance: '100.00' }),
  );
  const sql = `SELECT id::text FROM finance.accounts WHERE kind = 'USER'`;
  const { rows } = await runAsAdmin(site.adminUrls[HELD_PLACE] ?? '', sql);
  const there = new Set((rows as { id: string }[]).map(({ id }) => id));
  const [first, second, ...others] = opened.filter(({ id }) => there.has(id));
  hot = [first!, second!];
  free = others;
  login = await TestConnection.open(site.cluster.config.shards[HELD_PLACE]?.primary.url ?? '');
}, 90_000);

function pay(from: BankAccount, to: BankAccount): Promise<HttpAnswer<TransferBody>> {
  const body = { fromAccountId: from.id, toAccountId: to.id, amount: '0.01' };
  return site.post<TransferBody>(0, '/v1/transfers', body);
}

/** Many transfers between the other accounts. @returns what came of them, each once */
async function payOthers(): Promise<string[]> {
  const answers = await pLimit(CALLERS).map([...Array(TRANSFERS).keys()], (index) => {
    const step = 1 + ((index * 7) % (free.length - 1));
    return pay(free[index % free.length]!, free[(index + step) % free.length]!);
  });
  return [...new Set(answers.map(({ status, body }) => `${status} ${body.code ?? 'done'}`))];
}

/** Locks the hot accounts in a transaction that is prepared, and that only the shard which is away can decide. */
async function prepareOnHot(): Promise<void> {
  const [row] = await login.query<{ id: string }>('SELECT installation_id AS id FROM shardgate.installation');
  await login.query('BEGIN');
  await login.query(`SELECT set_config('shardgate.tenant_id', '${site.tenantId}', true)`);
  const ids = hot.map(({ id }) => `'${id}'`).join();
  await login.query(`SELECT FROM finance.accounts WHERE id IN (${ids}) ORDER BY id FOR NO KEY UPDATE`);
  const gid = mintGid({ installationId: row?.id ?? '', firstShardId: AWAY });
  await login.query(`PREPARE TRANSACTION '${gid}'`);
}

describe('a shard that is away while a transaction with it holds two hot accounts of another one', () => {
  it('holds up transfers of these two alone, which are answered by their deadline', async () => {
    expect(await payOthers()).toEqual(['201 done']);
    await site.cluster.hold(AWAY);
    await prepareOnHot();
    let answered = 0;
    const waiting = [
      ...[pay(hot[0], free[0]!), pay(free[1]!, hot[0])],
      ...[pay(hot[1], free[2]!), pay(free[3]!, hot[1]), pay(hot[0], hot[1]), pay(hot[1], hot[0])],
    ].map(async (asked) => {
      const answer = await asked;
      answered += 1;
      return answer;
    });
    expect(await payOthers()).toEqual(['201 done']);
    // As many as before, and not one of the six has cost them its patience.
    expect(answered).toBe(0);
    for (const answer of await Promise.all(waiting)) {
      expect(answer).toMatchObject({ status: 503, body: { code: 'overloaded' } });
      expect(answer.headers.get('retry-after')).toBe('1');
    }
    await site.cluster.release(AWAY);
    const ledger = new BankLedger(site.adminUrls);
    await eventually('it is decided', async () => (await ledger.prepared()).length === 0, 30_000);
    expect((await pay(hot[0], hot[1])).status).toBe(201);
    await assertLedgerSound(site.cluster.config);
  }, 90_000);
});
