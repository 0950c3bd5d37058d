import { createHash, randomBytes } from 'node:crypto';
import { chmod, chown, mkdir, open, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { hasErrorCode } from './private-json.js';
import type { RunAs } from './run-as.js';

const DRAFT_PREFIX = 'data.new.';
const LOG_READ_MAX_BYTES = 64 * 1024;
const LOG_MAX_BYTES = 16 * 1024 * 1024;

/** The files of one node: `<nodes>/<id>/` with its `data`, its `server.log` and its copies of TLS files. */
export class NodeDirectory {
  readonly path: string;
  /** Where a data directory is built; another place at each start, since an orphaned initdb may still write. */
  readonly draft: string;
  readonly #runAs: RunAs;

  /** @param nodesDir the real path (no symbolic links) of the directory that holds all nodes */
  constructor(nodesDir: string, nodeId: string, runAs: RunAs) {
    this.path = join(nodesDir, nodeId);
    this.draft = join(this.path, `${DRAFT_PREFIX}${randomBytes(6).toString('hex')}`);
    this.#runAs = runAs;
  }

  /** PostgreSQL's data directory. */
  get data(): string {
    return join(this.path, 'data');
  }

  get logFile(): string {
    return join(this.path, 'server.log');
  }

  /** A title for this node's processes that no other data directory of this machine has. */
  get processTitle(): string {
    return `shardgate-${createHash('sha256').update(this.data).digest('hex').slice(0, 16)}`;
  }

  /** Whether the data directory is there; it appears only when it is whole. */
  async isInitialized(): Promise<boolean> {
    return stat(join(this.data, 'PG_VERSION')).then(
      () => true,
      () => false,
    );
  }

  /** Makes the directory, open to nobody but the servers' user. */
  async create(): Promise<void> {
    await this.makeDirectory(this.path);
  }

  /** Makes a directory of the servers' user, if it is not there. */
  async makeDirectory(path: string): Promise<void> {
    await mkdir(path, { recursive: true, mode: 0o700 });
    await this.#own(path);
  }

  /** Writes a file that only the servers' user can read. */
  async writePrivate(path: string, content: string | Buffer): Promise<void> {
    const draft = `${path}.new`;
    await rm(draft, { force: true });
    await writeFile(draft, content, { mode: 0o600, flag: 'wx' });
    await this.#own(draft);
    await rename(draft, path);
  }

  /** Opens the server's log for appending; a long one is set aside first (one is kept). */
  async openLog(): Promise<{ fd: number; startOffset: number; close: () => Promise<void> }> {
    const size = await this.#logSize();
    if (size > LOG_MAX_BYTES) await rename(this.logFile, `${this.logFile}.1`);
    const handle = await open(this.logFile, 'a', 0o600);
    await this.#own(this.logFile);
    return { fd: handle.fd, startOffset: (await handle.stat()).size, close: () => handle.close() };
  }

  /** What the server logged from this offset on; of much, the end. */
  async readLog(fromOffset: number): Promise<string> {
    const handle = await open(this.logFile).catch(() => undefined);
    if (handle === undefined) return '';
    try {
      const { size } = await handle.stat();
      const start = Math.max(fromOffset, size - LOG_READ_MAX_BYTES);
      const buffer = Buffer.alloc(Math.max(0, size - start));
      const { bytesRead } = await handle.read(buffer, 0, buffer.length, start);
      return buffer.toString('utf8', 0, bytesRead);
    } finally {
      await handle.close();
    }
  }

  async #logSize(): Promise<number> {
    try {
      return (await stat(this.logFile)).size;
    } catch (error) {
      if (hasErrorCode(error, 'ENOENT')) return 0;
      throw error;
    }
  }

  /** Removes what interrupted builds left. */
  async discardDrafts(): Promise<void> {
    const entries = await readdir(this.path).catch(() => []);
    const drafts = entries.filter((name) => name.startsWith(DRAFT_PREFIX));
    await Promise.all(drafts.map((name) => rm(join(this.path, name), { recursive: true, force: true })));
  }

  /** Makes the finished draft the data directory, in place of what is there. */
  async adoptDraft(): Promise<void> {
    await rm(this.data, { recursive: true, force: true });
    await chmod(this.draft, 0o700);
    await rename(this.draft, this.data);
  }

  async #own(path: string): Promise<void> {
    if (this.#runAs.ids !== undefined) await chown(path, this.#runAs.ids.uid, this.#runAs.ids.gid);
  }
}
