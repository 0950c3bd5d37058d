import { accountViewSchema } from '../../modules/accounts/account-view.js';
import { accountOn, type DemoBank, type DemoScene } from './demo-bank.js';

const REPLICA = 's0.r1';
/** How long reads go on at most while the replica is away. */
const WATCHED_MS = 20_000;

/** Kills a replica while its shard is read, and counts who answered. */
export async function loseReplica({ site, client, narrator }: DemoScene, bank: DemoBank): Promise<void> {
  const { id, userId } = accountOn(bank, 's0');
  narrator.chapter('A replica dies');
  const answers = new Map<string, number>();
  const read = async (): Promise<string> => {
    const { source } = await client.send(accountViewSchema, {
      method: 'GET',
      path: `/v1/accounts/${id}`,
      key: bank.key,
      userId,
      // The cache would answer without any of them.
      headers: { 'cache-control': 'no-cache' },
    });
    answers.set(source, (answers.get(source) ?? 0) + 1);
    return source;
  };
  await read();
  await site.cluster.kill(REPLICA);
  narrator.say(`All processes of ${REPLICA} got SIGKILL, while ${userId} goes on reading.`);
  const startedAt = performance.now();
  let awayForMs = 0;
  let isBack = false;
  while (!isBack && performance.now() - startedAt < WATCHED_MS) {
    const source = await read();
    if (source === 'primary') awayForMs = performance.now() - startedAt;
    else isBack = awayForMs > 0;
  }
  narrator.say(
    `Every read was answered: ${answers.get('replica') ?? 0} by the replica, ` +
      `${answers.get('primary') ?? 0} by the primary, which stood in for ${(awayForMs / 1000).toFixed(1)} s.`,
  );
  narrator.say(
    isBack
      ? 'The process that owns the cluster started the replica again; reads are back on it.'
      : 'The replica is not back yet.',
  );
}
