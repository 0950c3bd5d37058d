import { execFile } from 'node:child_process';
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { EmbeddedClusterOptions } from '../../src/sharding/cluster/cluster-options.js';
import { listProcesses } from '../../src/sharding/cluster/process-table.js';
import { eventually } from '../support/eventually.js';
import { startOwnerProcess, type OwnerProcess } from '../support/owner-process.js';

const runFile = promisify(execFile);

/** A directory of its own, in which one test starts owners of one cluster's data. */
export class OwnerSite {
  /** Holds everything. */
  readonly scratch: string;
  readonly #owners: OwnerProcess[] = [];

  private constructor(scratch: string) {
    this.scratch = scratch;
  }

  /** An empty one. */
  static async make(): Promise<OwnerSite> {
    const scratch = await mkdtemp(join(tmpdir(), 'shardgate-owner-'));
    // Another user may run the servers in there.
    await chmod(scratch, 0o711);
    return new OwnerSite(scratch);
  }

  /** One with a copy of a stopped cluster's data, which saves it initdb. Copies of one site can run at once. */
  static async copyOf(template: OwnerSite): Promise<OwnerSite> {
    const site = await OwnerSite.make();
    await runFile('cp', ['-Rp', template.dataDir, site.dataDir]);
    const manifest = JSON.parse(await readFile(site.manifestPath, 'utf8')) as object;
    // They would all want the same ones.
    await writeFile(site.manifestPath, JSON.stringify({ ...manifest, ports: {} }));
    return site;
  }

  get dataDir(): string {
    return join(this.scratch, 'data');
  }

  /** What the data directory remembers of its cluster. */
  get manifestPath(): string {
    return join(this.dataDir, 'cluster.json');
  }

  /** Starts an owner, as another user if ids are given, and waits until its cluster is up or refused. */
  async startOwner(
    options: Partial<EmbeddedClusterOptions> = {},
    ids?: { uid: number; gid: number },
  ): Promise<OwnerProcess> {
    const defaults = { dataDir: this.dataDir, shards: 1, replicas: 1, fsync: false };
    const owner = await startOwnerProcess({ ...defaults, ...options }, ids);
    this.#owners.push(owner);
    return owner;
  }

  /** Servers and watchdogs of this site: all have its directory on their command line. */
  async runningPids(): Promise<number[]> {
    return (await listProcesses())
      .filter(
        ({ commandLine }) =>
          / -D |shardgate-watchdog/.test(commandLine) && commandLine.includes(this.scratch),
      )
      .map(({ pid }) => pid);
  }

  nothingRuns(): Promise<boolean> {
    return eventually('no server and no watchdog is left', async () => {
      return (await this.runningPids()).length === 0;
    });
  }

  /** Ends what still runs, and removes everything. */
  async close(): Promise<void> {
    for (const { child, exited } of this.#owners) {
      child.kill('SIGKILL');
      await exited;
    }
    await this.nothingRuns();
    await rm(this.scratch, { recursive: true, force: true });
  }
}
