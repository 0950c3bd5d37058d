import { execFile } from 'node:child_process';
import { chmod, cp, mkdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { ConfigurationError } from '../../common/gateway-error.js';
import { completeLibraryLinks, locateNpmBinaries, missingLibraryLinks } from './npm-binaries.js';
import { spawnOptionsFor, type RunAs } from './run-as.js';

const runFile = promisify(execFile);
const MAJOR_MIN = 15;

/** PostgreSQL's programs, known to start as the user who is to run them. */
export interface ServerBinaries {
  readonly initdb: string;
  readonly postgres: string;
  /** Major version, 15 or newer. */
  readonly major: number;
}

/**
 * Finds PostgreSQL and makes sure that the servers' user can run it: binaries below a directory closed to
 * that user (root's home, say) or without their library links are copied, once, below `copiesDir`.
 *
 * @throws ConfigurationError when there is none, or none that works
 */
export async function locateServerBinaries(
  binDir: string | undefined,
  runAs: RunAs,
  copiesDir: string,
): Promise<ServerBinaries> {
  if (binDir !== undefined) return probe(binDir, runAs);
  const { nativeDir, version } = await locateNpmBinaries();
  await completeLibraryLinks(nativeDir).catch(() => undefined);
  if ((await missingLibraryLinks(nativeDir)).length === 0) {
    const found = await probe(join(nativeDir, 'bin'), runAs).catch(() => undefined);
    if (found !== undefined) return found;
  }
  const copy = join(copiesDir, `postgres-${version}`);
  await copyOnce(nativeDir, copy);
  return probe(join(copy, 'bin'), runAs);
}

async function probe(binDir: string, runAs: RunAs): Promise<ServerBinaries> {
  const postgres = join(binDir, 'postgres');
  let version: string;
  try {
    ({ stdout: version } = await runFile(postgres, ['--version'], spawnOptionsFor(runAs)));
  } catch (error) {
    throw new ConfigurationError(
      `PostgreSQL in ${binDir} does not run on this machine as the servers' user; give the bin directory of another ` +
        'one, or servers of your own with SHARDGATE_CONFIG.',
      error,
    );
  }
  const major = Number(/\(PostgreSQL\) (\d+)/.exec(version)?.[1] ?? 0);
  if (major < MAJOR_MIN) {
    throw new ConfigurationError(`PostgreSQL in ${binDir} is older than ${MAJOR_MIN}; give a newer one.`);
  }
  return { initdb: join(binDir, 'initdb'), postgres, major };
}

/** Copies in two steps, so that the copy is whole whenever it is there; of two at once, one wins. */
async function copyOnce(nativeDir: string, copy: string): Promise<void> {
  if (await exists(copy)) return;
  const draft = `${copy}.${process.pid}.${Date.now()}`;
  try {
    await mkdir(join(copy, '..'), { recursive: true, mode: 0o755 });
    await cp(nativeDir, draft, { recursive: true, verbatimSymlinks: true });
    await chmod(draft, 0o755);
    await completeLibraryLinks(draft);
    await rename(draft, copy);
  } catch (error) {
    if (!(await exists(copy))) {
      throw new ConfigurationError(
        `PostgreSQL's files could not be copied to ${copy}; make room there.`,
        error,
      );
    }
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
