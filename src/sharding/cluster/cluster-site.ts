import { readFile, rm, rmdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { nextManifest, readManifest, type ClusterManifest } from './cluster-manifest.js';
import type { EmbeddedClusterOptions } from './cluster-options.js';
import { loadOrCreateSecrets, type ClusterSecrets } from './cluster-secrets.js';
import { findDataHome, makeDataDir, nodesLinkOf, SYSTEM_DIR, type DataHome } from './data-home.js';
import { OwnerLock } from './owner-lock.js';
import { writePrivateJson } from './private-json.js';
import { chooseRunAs, type RunAs } from './run-as.js';
import { locateServerBinaries, type ServerBinaries } from './server-binaries.js';

/** TLS material, read while this process could: the servers' user may not be able to. */
export interface ClusterTlsContent {
  readonly cert: Buffer;
  readonly key: Buffer;
  readonly ca: Buffer;
  /** Absolute path for clients. */
  readonly caFile: string;
}

/** The place of one cluster: its data directory, owned by this process, and what the servers there need. */
export class ClusterSite {
  readonly dataDir: string;
  readonly runAs: RunAs;
  readonly home: DataHome;
  readonly binaries: ServerBinaries;
  readonly secrets: ClusterSecrets;
  /** What the last start left; undefined at the first. */
  readonly previous: ClusterManifest | undefined;
  /** What this start is to have; its ports are those of the last one. */
  readonly manifest: ClusterManifest;
  readonly tls: ClusterTlsContent | undefined;
  readonly #lock: OwnerLock;

  private constructor(parts: {
    dataDir: string;
    runAs: RunAs;
    home: DataHome;
    binaries: ServerBinaries;
    secrets: ClusterSecrets;
    previous: ClusterManifest | undefined;
    manifest: ClusterManifest;
    tls: ClusterTlsContent | undefined;
    lock: OwnerLock;
  }) {
    this.dataDir = parts.dataDir;
    this.runAs = parts.runAs;
    this.home = parts.home;
    this.binaries = parts.binaries;
    this.secrets = parts.secrets;
    this.previous = parts.previous;
    this.manifest = parts.manifest;
    this.tls = parts.tls;
    this.#lock = parts.lock;
  }

  /**
   * Makes the data directory this process's own, and makes sure of everything that servers need.
   *
   * @throws ConfigurationError when another process owns it, or something is missing; it is not owned then
   */
  static async open(options: EmbeddedClusterOptions): Promise<ClusterSite> {
    const tls = await readTls(options);
    const dataDir = await makeDataDir(resolve(options.dataDir));
    const lock = await OwnerLock.acquire(dataDir, configPathOf(dataDir));
    try {
      const runAs = await chooseRunAs(nodesLinkOf(dataDir));
      const copiesDir = runAs.ids === undefined ? join(dataDir, 'binaries') : SYSTEM_DIR;
      const binaries = await locateServerBinaries(options.binDir, runAs, copiesDir);
      const previous = await readManifest(manifestPathOf(dataDir));
      const manifest = nextManifest(previous, options, binaries.major);
      const home = await findDataHome(dataDir, runAs);
      const secrets = await loadOrCreateSecrets(join(dataDir, 'secrets.json'));
      return new ClusterSite({ dataDir, runAs, home, binaries, secrets, previous, manifest, tls, lock });
    } catch (error) {
      if (options.disposable === true) await rm(dataDir, { recursive: true, force: true });
      await lock.release();
      throw error;
    }
  }

  /** `shardgate.config.json`: there while the cluster runs. */
  get configPath(): string {
    return configPathOf(this.dataDir);
  }

  /** Every directory that holds something of this cluster. */
  get directories(): string[] {
    return this.home.outside === undefined ? [this.dataDir] : [this.dataDir, this.home.outside];
  }

  /** Keeps the manifest, with the ports that were chosen, for the next start. */
  async keepManifest(ports: Readonly<Record<string, number>>): Promise<void> {
    await writePrivateJson(manifestPathOf(this.dataDir), { ...this.manifest, ports });
  }

  /** Gives the data directory back, or, if asked, removes it with all that it holds. */
  async close(remove: boolean): Promise<void> {
    await rm(this.configPath, { force: true });
    if (remove) await Promise.all(this.directories.map((path) => rm(path, { recursive: true, force: true })));
    // Only if it is empty: other clusters may live there.
    if (remove && this.home.outside !== undefined) await rmdir(SYSTEM_DIR).catch(() => undefined);
    await this.#lock.release();
  }
}

function configPathOf(dataDir: string): string {
  return join(dataDir, 'shardgate.config.json');
}

function manifestPathOf(dataDir: string): string {
  return join(dataDir, 'cluster.json');
}

async function readTls({ tls }: EmbeddedClusterOptions): Promise<ClusterTlsContent | undefined> {
  if (tls === undefined) return undefined;
  const [cert, key, ca] = await Promise.all([
    readFile(tls.certFile),
    readFile(tls.keyFile),
    readFile(tls.caFile),
  ]);
  return { cert, key, ca, caFile: resolve(tls.caFile) };
}
