import { randomBytes } from 'node:crypto';
import { link, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ConfigurationError } from '../../common/gateway-error.js';
import { hasErrorCode } from './private-json.js';
import { startTimeOf } from './process-table.js';

const LOCK_FILE = 'owner.lock';
const ATTEMPTS_MAX = 20;

/**
 * The right to run the servers of a data directory: one process has it at a time. It lies in a file that
 * names the process and when it started, so that a crashed owner's lock is known to be void even when its
 * pid was given to another process.
 */
export class OwnerLock {
  readonly #path: string;
  readonly #content: string;

  private constructor(path: string, content: string) {
    this.#path = path;
    this.#content = content;
  }

  /**
   * Takes the lock of this directory for this process.
   *
   * @throws ConfigurationError when a living process has it, this one included
   */
  static async acquire(dataDir: string, configPath: string): Promise<OwnerLock> {
    const path = join(dataDir, LOCK_FILE);
    const nonce = randomBytes(8).toString('hex');
    const content = `${process.pid}\n${(await startTimeOf(process.pid)) ?? ''}\n${nonce}\n`;
    const draft = `${path}.${nonce}`;
    await writeFile(draft, content, { mode: 0o600 });
    try {
      for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt += 1) {
        // A link appears with its whole content or not at all, and only where nothing is yet.
        if (await linked(draft, path)) return new OwnerLock(path, content);
        await removeVoidLock(path, `${draft}.void`, configPath);
      }
    } finally {
      await rm(draft, { force: true });
    }
    throw new ConfigurationError(`Too many processes start on ${dataDir} at once; try again.`);
  }

  /** Gives the lock back. */
  async release(): Promise<void> {
    const current = await readFile(this.#path, 'utf8').catch(() => undefined);
    if (current === this.#content) await rm(this.#path, { force: true });
  }
}

async function linked(draft: string, path: string): Promise<boolean> {
  try {
    await link(draft, path);
    return true;
  } catch (error) {
    if (hasErrorCode(error, 'EEXIST')) return false;
    throw error;
  }
}

/** Removes a lock whose owner is gone. @throws ConfigurationError when the owner lives */
async function removeVoidLock(path: string, asidePath: string, configPath: string): Promise<void> {
  const content = await readFile(path, 'utf8').catch(() => undefined);
  if (content === undefined) return;
  const [pid = '', startTime = ''] = content.split('\n');
  if ((await startTimeOf(Number(pid))) === startTime) {
    throw new ConfigurationError(
      `Process ${pid} owns this data directory already. Join it with SHARDGATE_CONFIG='${configPath}', ` +
        'stop it, or choose another data directory.',
    );
  }
  try {
    await rename(path, asidePath);
  } catch (error) {
    if (hasErrorCode(error, 'ENOENT')) return;
    throw error;
  }
  // Another starter may have replaced the void lock by its own since it was read: that one is put back.
  if ((await readFile(asidePath, 'utf8')) !== content) await linked(asidePath, path);
  await rm(asidePath, { force: true });
}
