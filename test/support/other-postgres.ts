import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/** A PostgreSQL that is installed on this machine besides npm's. */
export interface OtherPostgres {
  readonly binDir: string;
  readonly major: number;
}

/** Where Debian and Ubuntu keep the servers' programs, which are not on the path there. */
const DEBIAN_DIRS = [15, 16, 17, 18].map((major) => `/usr/lib/postgresql/${major}/bin`);
const MAJOR_MIN = 15;

/** The first PostgreSQL 15 or newer that is installed on this machine; undefined if there is none. */
export function findOtherPostgres(): OtherPostgres | undefined {
  for (const binDir of [...DEBIAN_DIRS, ...(process.env.PATH ?? '').split(delimiter)]) {
    const postgres = join(binDir, 'postgres');
    if (!existsSync(postgres) || !existsSync(join(binDir, 'initdb'))) continue;
    const version = execFileSync(postgres, ['--version'], { encoding: 'utf8' });
    const major = Number(/\(PostgreSQL\) (\d+)/.exec(version)?.[1] ?? 0);
    if (major >= MAJOR_MIN) return { binDir, major };
  }
  return undefined;
}
