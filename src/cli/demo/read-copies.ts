import type { z } from 'zod';
import { accountListSchema } from '../../modules/accounts/account-schemas.js';
import { accountViewSchema, type AccountView } from '../../modules/accounts/account-view.js';
import { transactionViewSchema } from '../../modules/transactions/transaction-view.js';
import { accountOn, type DemoBank, type DemoScene } from './demo-bank.js';
import type { DemoAnswer, DemoRequest } from './demo-client.js';

/** How far the replica is held back, so that its lag can be seen with the eye. */
const HELD_BACK = '2s';
const CAUGHT_UP_WITHIN_MS = 20_000;
const LIST_PAGE = 4;

/** Reads right after a write, from a replica that lags, and shows who sees what. */
export async function readCopies(scene: DemoScene, bank: DemoBank): Promise<void> {
  const { site, client, narrator } = scene;
  const { key } = bank;
  const { id, userId } = accountOn(bank, 's0');
  const read = ({ headers, ...more }: Partial<DemoRequest> = {}): Promise<DemoAnswer<AccountView>> =>
    client.send(accountViewSchema, {
      ...{ method: 'GET', path: `/v1/accounts/${id}`, key, ...more },
      // It is the servers that are shown here.
      headers: { 'cache-control': 'no-cache', ...headers },
    });

  narrator.chapter('Replicas, and seeing what one wrote');
  tell(scene, 'before', await untilFrom('replica', () => read({ userId })));
  await site.cluster.setConfig('s0.r1', { recovery_min_apply_delay: HELD_BACK });
  narrator.say(`Replica s0.r1 is now told to lag by ${HELD_BACK}. ${userId} deposits 7.00.`);
  const { token } = await client.send(transactionViewSchema, {
    method: 'POST',
    path: `/v1/accounts/${id}/deposits`,
    key,
    userId,
    body: { amount: '7.00' },
  });
  tell(scene, `${userId} reads`, await read({ userId }));
  tell(scene, 'the service, which wrote nothing, reads', await read());
  tell(
    scene,
    'the service, with X-Consistency-Token',
    await read({ headers: { 'x-consistency-token': token } }),
  );
  narrator.say(`(The token of the deposit is ${token}.)`);
  await site.cluster.setConfig('s0.r1', { recovery_min_apply_delay: '0' });
  tell(
    scene,
    `${userId}, once the replica has caught up`,
    await untilFrom('replica', () => read({ userId })),
  );
}

/** Finds an account by its number alone, and lists all customers' accounts in one order. */
export async function readAcrossShards({ client, narrator }: DemoScene, bank: DemoBank): Promise<void> {
  const { key, shardOf } = bank;
  narrator.chapter('Across shards');
  const wanted = accountOn(bank, 's1');
  const list = (query: string): Promise<DemoAnswer<z.output<typeof accountListSchema>>> =>
    client.send(accountListSchema, { method: 'GET', path: `/v1/accounts?${query}`, key });
  const found = await list(`accountNumber=${wanted.accountNumber}`);
  narrator.say(
    `By number, without a user: ${wanted.accountNumber} belongs to ${found.body.items[0]?.userId ?? 'nobody'}.`,
  );
  let cursor = '';
  for (const page of ['first', 'second']) {
    const { body, source } = await list(`limit=${LIST_PAGE}${cursor}`);
    narrator.say(`The ${page} ${LIST_PAGE} accounts of the tenant, oldest first, merged (${source}):`);
    for (const { accountNumber, userId, balance } of body.items) {
      narrator.say(
        `  ${accountNumber}  ${userId.padEnd(12)} ${balance.padStart(10)}  ${shardOf.get(userId) ?? ''}`,
      );
    }
    cursor = `&cursor=${body.nextCursor ?? ''}`;
  }
}

function tell({ narrator }: DemoScene, who: string, { body, source, shard }: DemoAnswer<AccountView>): void {
  narrator.say(`${`${who}:`.padEnd(46)} ${body.balance.padStart(9)}  from the ${source} of ${shard}`);
}

/** Reads until the answer comes from there. @throws Error when it never does */
async function untilFrom<Body>(
  source: string,
  read: () => Promise<DemoAnswer<Body>>,
): Promise<DemoAnswer<Body>> {
  for (const startedAt = performance.now(); performance.now() - startedAt < CAUGHT_UP_WITHIN_MS;) {
    const answer = await read();
    if (answer.source === source) return answer;
  }
  throw new Error(`No read was answered from the ${source} within ${CAUGHT_UP_WITHIN_MS} ms.`);
}
