import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';

const DEBIAN_DIR = '/usr/lib/postgresql/15/bin';

/** The programs of a PostgreSQL 15 or newer that is installed on this machine besides npm's; undefined if none. */
export function findOtherPostgres(): string | undefined {
  return [DEBIAN_DIR, configuredDir()].find((dir) => dir !== undefined && existsSync(join(dir, 'initdb')));
}

function configuredDir(): string | undefined {
  try {
    const dir = execFileSync('pg_config', ['--bindir'], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    const version = execFileSync(join(dir.trim(), 'postgres'), ['--version'], { encoding: 'utf8' });
    return Number(/\(PostgreSQL\) (\d+)/.exec(version)?.[1] ?? 0) >= 15 ? dir.trim() : undefined;
  } catch {
    return undefined;
  }
}
