import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Client } from 'pg';
import { ConfigurationError } from '../../common/gateway-error.js';
import { copyDataDirectory } from './data-copy.js';
import type { NodeDirectory } from './node-directory.js';
import { spawnOptionsFor, type RunAs } from './run-as.js';
import type { ServerBinaries } from './server-binaries.js';
import { ROLES } from './server-settings.js';

const runFile = promisify(execFile);

/** A temporary slot: the log from here on stays until this session ends, however it ends. */
const KEEP_LOG = 'select pg_create_physical_replication_slot($1, true, true)';
/** Fast: the checkpoint that a copy starts from is not spread over minutes. */
const BACKUP_START = "select pg_backup_start('shardgate replica', true)";
/** Not waiting for an archive: the replica streams the log that the copy needs. */
const BACKUP_STOP = 'select labelfile from pg_backup_stop(false)';

/** `initdb`'s locale options: the same order of text on every machine, and the same in every shard. */
function localeOptions(major: number): string[] {
  return major >= 17
    ? ['--locale=C', '--locale-provider=builtin', '--builtin-locale=C.UTF-8']
    : ['--locale=C'];
}

/**
 * Makes a new server's data directory, with a system identifier of its own.
 *
 * @throws ConfigurationError when `initdb` fails
 */
export async function initializePrimary(
  binaries: ServerBinaries,
  directory: NodeDirectory,
  runAs: RunAs,
  adminPassword: string,
): Promise<void> {
  const passwordFile = `${directory.draft}.password`;
  await directory.create();
  await directory.discardDrafts();
  try {
    await directory.writePrivate(passwordFile, `${adminPassword}\n`);
    await runFile(
      binaries.initdb,
      [
        `--pgdata=${directory.draft}`,
        `--username=${ROLES.admin}`,
        `--pwfile=${passwordFile}`,
        '--auth=scram-sha-256',
        '--encoding=UTF8',
        '--no-instructions',
        ...localeOptions(binaries.major),
        '--no-sync',
      ],
      spawnOptionsFor(runAs),
    );
    await directory.adoptDraft();
  } catch (error) {
    await directory.discardDrafts();
    throw new ConfigurationError(
      `initdb could not make a server's data below ${directory.path}: ${lastLine(error)} Make room and rights for ` +
        'it there, or choose another data directory.',
      error,
    );
  } finally {
    await rm(passwordFile, { force: true });
  }
}

/** Makes a replica from a primary that has never run since `initdb`. */
export async function copyFreshPrimary(
  primary: NodeDirectory,
  replica: NodeDirectory,
  runAs: RunAs,
): Promise<void> {
  await replica.create();
  await replica.discardDrafts();
  await copyDataDirectory(primary.data, replica.draft, false, runAs);
  await replica.writePrivate(join(replica.draft, 'standby.signal'), '');
  await replica.adoptDraft();
}

/**
 * Makes a replica, or makes it anew, from a primary that runs. The primary keeps the log that the copy needs
 * until `startAndFollow` has resolved.
 */
export async function copyRunningPrimary(
  primary: NodeDirectory,
  primaryAdminUrl: string,
  replica: NodeDirectory,
  runAs: RunAs,
  startAndFollow: () => Promise<void>,
): Promise<void> {
  await replica.create();
  await replica.discardDrafts();
  const client = new Client({ connectionString: primaryAdminUrl });
  client.on('error', () => undefined);
  await client.connect();
  try {
    await client.query(KEEP_LOG, [`shardgate_copy_${randomBytes(8).toString('hex')}`]);
    await client.query(BACKUP_START);
    await copyDataDirectory(primary.data, replica.draft, true, runAs);
    const { rows } = await client.query<{ labelfile: string }>(BACKUP_STOP);
    // With the label the replica starts from the copy's checkpoint; without, from a wrong place.
    await replica.writePrivate(join(replica.draft, 'backup_label'), rows[0]?.labelfile ?? '');
    await replica.writePrivate(join(replica.draft, 'standby.signal'), '');
    await replica.adoptDraft();
    await startAndFollow();
  } finally {
    await client.end();
  }
}

/** What initdb said last: the reason, without its own list of what it did before. */
function lastLine(error: unknown): string {
  const stderr = typeof error === 'object' && error !== null && 'stderr' in error ? String(error.stderr) : '';
  const line = stderr.split('\n').find((text) => /error|fatal|could not|No space/i.test(text));
  return line === undefined ? 'no reason was given.' : `${line.trim().replace(/\.$/, '')}.`;
}
