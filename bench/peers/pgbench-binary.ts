import { execFile } from 'node:child_process';
import { access, constants, readdir } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';

/** Where distributions put the programs of each PostgreSQL release. */
const RELEASES = '/usr/lib/postgresql';

/** Why a table may lack pgbench. */
export const PGBENCH_MISSING =
  'pgbench is neither on the PATH nor in /usr/lib/postgresql; install PostgreSQL’s programs';

/** A pgbench on this machine: the newest of those that distributions install, else the one on the PATH. */
export async function findPgbench(): Promise<string | undefined> {
  const releases = await readdir(RELEASES).catch(() => []);
  const newestFirst = releases.toSorted((a, b) => Number(b) - Number(a));
  const directories = [
    ...newestFirst.map((release) => join(RELEASES, release, 'bin')),
    ...(process.env.PATH ?? '').split(delimiter).filter((directory) => directory !== ''),
  ];
  for (const directory of directories) {
    const path = join(directory, 'pgbench');
    if (await isExecutable(path)) return path;
  }
  return undefined;
}

/** What it says of itself, such as `15.18`. */
export async function pgbenchVersion(path: string): Promise<string> {
  const { stdout } = await promisify(execFile)(path, ['--version']);
  return /\d+(?:\.\d+)*/.exec(stdout)?.[0] ?? 'unknown';
}

async function isExecutable(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
