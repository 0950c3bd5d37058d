import { copyFile, lchown, mkdir, readdir, readlink, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import pLimit from 'p-limit';
import { hasErrorCode } from './private-json.js';
import type { RunAs } from './run-as.js';

/** What belongs to the running server and not to its data. */
const NOT_DATA = new Set(['postmaster.pid', 'postmaster.opts', 'standby.signal', 'recovery.signal']);
/** Directories whose content a server makes again; a copy of a running server's would be in the way. */
const REMADE = new Set([
  'pg_wal',
  'pg_replslot',
  'pg_dynshmem',
  'pg_notify',
  'pg_serial',
  'pg_snapshots',
  'pg_stat_tmp',
  'pg_subtrans',
]);
const COPIES_AT_ONCE = 16;

/**
 * Copies a data directory. Of a server that runs, files may vanish meanwhile: those are left out, as
 * PostgreSQL's own base backup does.
 *
 * @param live whether the source's server runs (between `pg_backup_start` and `pg_backup_stop`): then its
 *   write-ahead log is not copied
 */
export async function copyDataDirectory(
  from: string,
  to: string,
  live: boolean,
  runAs: RunAs,
): Promise<void> {
  const limit = pLimit(COPIES_AT_ONCE);
  const own = async (path: string): Promise<void> => {
    if (runAs.ids !== undefined) await lchown(path, runAs.ids.uid, runAs.ids.gid);
  };
  const copyEntries = async (source: string, target: string, topLevel: boolean): Promise<void> => {
    await mkdir(target, { mode: 0o700 });
    await own(target);
    const entries = await readdir(source, { withFileTypes: true });
    await Promise.all(
      entries.map(async (entry) => {
        if (topLevel && NOT_DATA.has(entry.name)) return;
        if (live && entry.name.startsWith('pgsql_tmp')) return;
        const [sourcePath, targetPath] = [join(source, entry.name), join(target, entry.name)];
        if (entry.isDirectory()) {
          if (live && topLevel && REMADE.has(entry.name)) {
            await mkdir(targetPath, { mode: 0o700 });
            await own(targetPath);
          } else {
            await copyEntries(sourcePath, targetPath, false);
          }
          return;
        }
        await limit(async () => {
          try {
            if (entry.isSymbolicLink()) await symlink(await readlink(sourcePath), targetPath);
            else await copyFile(sourcePath, targetPath);
          } catch (error) {
            if (live && hasErrorCode(error, 'ENOENT')) return;
            throw error;
          }
          await own(targetPath);
        });
      }),
    );
  };
  await copyEntries(from, to, true);
}
