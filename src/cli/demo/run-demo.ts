import { readEnvironment } from '../environment.js';
import { reportFailure } from '../failure.js';
import { serviceLog } from '../service-log.js';
import { awaitStop } from '../stop-signal.js';
import { checkLedger } from './check-ledger.js';
import { DemoClient } from './demo-client.js';
import { openDemoSite, type DemoSite } from './demo-site.js';
import { loseReplica } from './lose-replica.js';
import { moveMoney } from './move-money.js';
import { Narrator } from './narrator.js';
import { openAccounts } from './open-accounts.js';
import { readAcrossShards, readCopies } from './read-copies.js';

/** Exit code of a program that Ctrl-C ended, as shells have it. */
const INTERRUPTED = 130;

/** Walks through what the gateway does. @returns the exit code */
export async function runDemo(): Promise<number> {
  const { logLevel } = readEnvironment({ LOG_LEVEL: 'silent', ...process.env });
  const narrator = new Narrator();
  const interruption = new AbortController();
  const stopped = awaitStop(reportFailure).then((reason) => {
    interruption.abort();
    return reason === 'failure' ? 1 : INTERRUPTED;
  });
  narrator.say('Shardgate, a guided walk. Everything is made for it, and removed when it ends.');
  narrator.chapter('Servers');
  narrator.say('Starting PostgreSQL and the gateway ...');
  const site = await openDemoSite(serviceLog(logLevel));
  try {
    const walked = walk(site, narrator, interruption.signal).then(() => 0);
    return await Promise.race([walked, stopped]);
  } finally {
    narrator.say('');
    narrator.say('Stopping the servers and removing their data ...');
    await site.close();
    narrator.say('Done.');
  }
}

async function walk(site: DemoSite, narrator: Narrator, signal: AbortSignal): Promise<void> {
  const startedAt = performance.now();
  for (const { id, role, port } of site.cluster.nodes()) {
    narrator.say(`${id.padEnd(8)} ${role.padEnd(8)} 127.0.0.1:${port}`);
  }
  narrator.say(`gateway  ${site.url}, ready after ${(site.startedInMs / 1000).toFixed(1)} s`);
  const scene = { site, narrator, client: new DemoClient(site.url, signal) };
  const bank = await openAccounts(scene);
  await moveMoney(scene, bank);
  await readCopies(scene, bank);
  await readAcrossShards(scene, bank);
  await loseReplica(scene, bank);
  await checkLedger(scene, bank);
  narrator.chapter('The end');
  narrator.say(`The walk took ${((performance.now() - startedAt) / 1000).toFixed(1)} s.`);
  narrator.say('npm start gives you the same servers to keep, with the API described at /docs.');
}
