import { readdir } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Log } from '../../common/log.js';
import { NodeDirectory } from './node-directory.js';
import { endProcessesOf, mainProcessesOf, processesOf } from './node-processes.js';
import { signalProcess } from './process-table.js';
import type { RunAs } from './run-as.js';

const GRACE_MS = 10_000;
const POLL_MS = 20;

/** Ends servers that outlived a crashed owner: fast shutdown first, then, after ten seconds, by force. */
export async function endLeftoverServers(nodesDir: string, runAs: RunAs, log: Log): Promise<void> {
  const ids = await readdir(nodesDir);
  await Promise.all(ids.map((id) => endLeftoverServer(new NodeDirectory(nodesDir, id, runAs), id, log)));
}

async function endLeftoverServer(directory: NodeDirectory, nodeId: string, log: Log): Promise<void> {
  if ((await processesOf(directory)).length === 0) return;
  log.warn({ node: nodeId }, 'a server of an earlier owner still runs and is ended');
  for (const pid of await mainProcessesOf(directory)) {
    signalProcess(pid, 'SIGINT');
    signalProcess(pid, 'SIGCONT');
  }
  const deadline = performance.now() + GRACE_MS;
  while ((await mainProcessesOf(directory)).length > 0 && performance.now() < deadline) await sleep(POLL_MS);
  await endProcessesOf(directory);
}
