import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { NodeDirectory } from './node-directory.js';
import { listProcesses, signalProcess, type ProcessEntry } from './process-table.js';

const POLL_MS = 20;
const KILL_TIMEOUT_MS = 10_000;

/** All processes of a node's server, whoever started them: its main process, and others even if that one died. */
export async function processesOf(directory: NodeDirectory): Promise<number[]> {
  const entries = await listProcesses();
  return entries
    .filter((entry) => isMain(entry, directory) || isChild(entry, directory))
    .map(({ pid }) => pid);
}

/** The processes that show a main process's command line: it, and for a moment those that it has just forked. */
export async function mainProcessesOf(directory: NodeDirectory): Promise<number[]> {
  return (await listProcesses()).filter((entry) => isMain(entry, directory)).map(({ pid }) => pid);
}

/**
 * Kills what is left of a node's server, so that it can be started. A backend that outlives its server would
 * keep the next one from starting ("pre-existing shared memory block"), and so would a lock file whose pid is
 * now another process's, or that of a zombie which nobody has waited for yet.
 */
export async function endProcessesOf(directory: NodeDirectory): Promise<void> {
  const deadline = performance.now() + KILL_TIMEOUT_MS;
  for (;;) {
    const pids = await processesOf(directory);
    if (pids.length === 0) break;
    // Not even SIGKILL ends a process that waits for a broken disk. Its lock file stays, and is right.
    if (performance.now() > deadline) return;
    for (const pid of pids) signalProcess(pid, 'SIGKILL');
    await sleep(POLL_MS);
  }
  await rm(join(directory.data, 'postmaster.pid'), { force: true });
}

function isMain({ commandLine }: ProcessEntry, directory: NodeDirectory): boolean {
  return commandLine.endsWith(`postgres -D ${directory.data}`);
}

/** A server's other processes show a title that begins with the node's own. */
function isChild({ commandLine }: ProcessEntry, directory: NodeDirectory): boolean {
  return commandLine.startsWith(`postgres: ${directory.processTitle}:`);
}
