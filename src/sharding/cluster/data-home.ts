import { createHash } from 'node:crypto';
import { chmod, chown, lstat, mkdir, readlink, realpath, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { ConfigurationError } from '../../common/gateway-error.js';
import { assertUsablePath } from './cluster-options.js';
import { canReach, type RunAs } from './run-as.js';

/** Where root keeps what the servers' user could not reach elsewhere. */
export const SYSTEM_DIR = '/var/lib/shardgate';

/** The directory of all nodes' data: `nodes` in the data directory, or elsewhere with a link to it there. */
export interface DataHome {
  /** Real path, without symbolic links. */
  readonly nodesDir: string;
  /** What lies outside of the data directory and belongs to it. */
  readonly outside: string | undefined;
}

/** Makes the data directory; one made by root can be entered, though not listed, by the servers' user. */
export async function makeDataDir(path: string): Promise<string> {
  const made = await mkdir(path, { recursive: true });
  if (made !== undefined) await chmod(path, process.getuid?.() === 0 ? 0o711 : 0o700);
  const real = await realpath(path);
  assertUsablePath(real);
  return real;
}

/** Where the nodes' data is already: the first thing to ask, since its owner runs the servers. */
export function nodesLinkOf(dataDir: string): string {
  return join(dataDir, 'nodes');
}

/** Finds the home of the nodes' data, or makes one that the servers' user can reach. */
export async function findDataHome(dataDir: string, runAs: RunAs): Promise<DataHome> {
  const link = nodesLinkOf(dataDir);
  const present = await lstat(link).catch(() => undefined);
  if (present?.isSymbolicLink() === true) {
    const outside = await readlink(link);
    await makeNodesDir(outside, runAs);
    return { nodesDir: await realpath(outside), outside };
  }
  if (present !== undefined || runAs.ids === undefined || (await canReach(runAs, dataDir))) {
    await makeNodesDir(link, runAs);
    if (!(await canReach(runAs, link))) {
      throw new ConfigurationError(
        `The servers' user cannot reach ${link}, where the data is; open the directories above it to that user, or ` +
          'move the data directory back to where it was.',
      );
    }
    return { nodesDir: await realpath(link), outside: undefined };
  }
  const outside = join(SYSTEM_DIR, createHash('sha256').update(dataDir).digest('hex').slice(0, 24));
  await mkdir(SYSTEM_DIR, { recursive: true });
  await chmod(SYSTEM_DIR, 0o755);
  await makeNodesDir(outside, runAs);
  await symlink(outside, link);
  return { nodesDir: await realpath(outside), outside };
}

async function makeNodesDir(path: string, runAs: RunAs): Promise<void> {
  await mkdir(path, { recursive: true, mode: 0o700 });
  if (runAs.ids !== undefined) await chown(path, runAs.ids.uid, runAs.ids.gid);
}
