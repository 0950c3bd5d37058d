import { execFile } from 'node:child_process';
import { stat } from 'node:fs/promises';
import { promisify } from 'node:util';
import { ConfigurationError } from '../../common/gateway-error.js';

const runFile = promisify(execFile);

/** The user that runs the servers. Without ids it is the user of this process. */
export interface RunAs {
  /** Set only where servers run as another user than this process. */
  readonly ids: { readonly uid: number; readonly gid: number } | undefined;
}

/** Tried in order when this process is root: initdb wants a user that has a name. */
const CANDIDATE_USERS = ['postgres', 'nobody'];

/**
 * Who runs the servers: PostgreSQL refuses root. Data that exists stays with the user who has it.
 *
 * @throws ConfigurationError when root finds no other user, or the data belongs to somebody else
 */
export async function chooseRunAs(existingDataDir: string): Promise<RunAs> {
  const owner = await stat(existingDataDir).catch(() => undefined);
  const self = process.getuid?.() ?? 0;
  if (self !== 0) {
    if (owner !== undefined && owner.uid !== self) {
      throw new ConfigurationError(
        `The data in ${existingDataDir} belongs to user ${owner.uid}; start as that user or as root, or choose ` +
          'another data directory.',
      );
    }
    return { ids: undefined };
  }
  if (owner !== undefined && owner.uid !== 0) return { ids: { uid: owner.uid, gid: owner.gid } };
  for (const name of CANDIDATE_USERS) {
    const ids = await idsOf(name);
    if (ids !== undefined) return { ids };
  }
  throw new ConfigurationError(
    'PostgreSQL does not run as root and there is no user postgres or nobody; add one, or start as another user.',
  );
}

/** What `spawn` and `execFile` need for a process of that user, from a directory that every user can enter. */
export function spawnOptionsFor(runAs: RunAs): {
  cwd: string;
  env: NodeJS.ProcessEnv;
  uid?: number;
  gid?: number;
} {
  // A fresh environment: PGDATA, PGPORT or a locale of the shell would steer the servers.
  const env = { PATH: process.env.PATH, LC_ALL: 'C', TZ: 'UTC' };
  return { cwd: '/', env, ...runAs.ids };
}

/** Whether that user can enter a directory or run a program: asked of the system, which knows all its rules. */
export async function canReach(runAs: RunAs, path: string): Promise<boolean> {
  try {
    await runFile('/bin/sh', ['-c', 'test -x "$1"', 'sh', path], spawnOptionsFor(runAs));
    return true;
  } catch {
    return false;
  }
}

async function idsOf(name: string): Promise<{ uid: number; gid: number } | undefined> {
  try {
    const [uid, gid] = await Promise.all(['-u', '-g'].map((flag) => runFile('id', [flag, name])));
    return uid && gid ? { uid: Number(uid.stdout), gid: Number(gid.stdout) } : undefined;
  } catch {
    return undefined;
  }
}
