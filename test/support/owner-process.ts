import { spawn, type ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { EmbeddedClusterOptions } from '../../src/sharding/cluster/cluster-options.js';
import type { ClusterNode } from '../../src/sharding/cluster/embedded-cluster.js';

/** What an owner process says once it knows how its start went. */
interface OwnerReport {
  readonly nodes?: readonly ClusterNode[];
  readonly configPath?: string;
  readonly error?: string;
}

/** A process of its own that owns a cluster. */
export interface OwnerProcess {
  readonly child: ChildProcess;
  /** The first thing it said. */
  readonly report: OwnerReport;
  /** Resolves when it has ended. */
  readonly exited: Promise<void>;
}

/** Starts an owner, as another user if ids are given, and waits until its cluster is up or refused. */
export async function startOwnerProcess(
  options: EmbeddedClusterOptions,
  ids?: { uid: number; gid: number },
): Promise<OwnerProcess> {
  const child = spawn(
    process.execPath,
    [
      '--import',
      fileURLToPath(new URL('./register-typescript.js', import.meta.url)),
      fileURLToPath(new URL('./cluster-owner.ts', import.meta.url)),
      JSON.stringify(options),
    ],
    { stdio: ['ignore', 'pipe', 'inherit'], ...ids },
  );
  const exited = new Promise<void>((resolve) => {
    child.once('exit', () => {
      resolve();
    });
  });
  for await (const line of createInterface({ input: child.stdout })) {
    return { child, report: JSON.parse(line) as OwnerReport, exited };
  }
  throw new Error('The owner process ended without a word.');
}
