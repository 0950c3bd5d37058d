import { rm } from 'node:fs/promises';
import { SILENT_LOG, type Log } from '../../common/log.js';
import type { ClusterConfig } from './cluster-config.js';
import { assertUsableOptions, type EmbeddedClusterOptions } from './cluster-options.js';
import { ClusterServers } from './cluster-servers.js';
import { ClusterSite } from './cluster-site.js';
import { endLeftoverServers } from './leftover-servers.js';
import type { NodeRole } from './node-spec.js';
import { writePrivateJson } from './private-json.js';
import { ReplicaWatch } from './replica-watch.js';
import { explainStartFailure } from './start-failure.js';
import type { FaultSignal, NodeState } from './supervised-node.js';
import { endWatchdogsOf, Watchdog } from './watchdog.js';

/** One server of a running cluster. */
export interface ClusterNode {
  readonly id: string;
  readonly role: NodeRole;
  readonly port: number;
  /** The server's main process; undefined while it does not run. */
  readonly pid: number | undefined;
  readonly state: NodeState;
}

/**
 * Real PostgreSQL servers that this process owns: a catalog, and per shard a primary with streaming replicas.
 * A server that dies is started again; all of them stop when the owner does, however it ends. Data is kept
 * from one start to the next.
 *
 * @example
 * const cluster = await EmbeddedCluster.start({ dataDir: '.shardgate' });
 * cluster.config.shards[0].primary.url;
 * await cluster.stop();
 */
export class EmbeddedCluster {
  /** How to reach the servers. */
  readonly config: ClusterConfig;
  readonly #site: ClusterSite;
  readonly #servers: ClusterServers;
  readonly #watchdog: Watchdog;
  readonly #replicaWatch: ReplicaWatch;
  readonly #disposable: boolean;
  readonly #log: Log;
  #stopping: Promise<void> | undefined;

  private constructor(
    site: ClusterSite,
    servers: ClusterServers,
    watchdog: Watchdog,
    config: ClusterConfig,
    options: EmbeddedClusterOptions,
  ) {
    this.#site = site;
    this.#servers = servers;
    this.#watchdog = watchdog;
    this.config = config;
    this.#disposable = options.disposable ?? false;
    this.#log = options.log ?? SILENT_LOG;
    this.#replicaWatch = new ReplicaWatch(servers, this.#log);
  }

  /**
   * Starts the servers of a data directory, makes them first where there are none, and waits until all accept
   * connections and replicas stream.
   *
   * @throws ConfigurationError that says what to do; nothing is left running then
   */
  static async start(options: EmbeddedClusterOptions): Promise<EmbeddedCluster> {
    assertUsableOptions(options);
    const log = options.log ?? SILENT_LOG;
    try {
      const site = await ClusterSite.open(options);
      return await startOn(site, options, log, (servers, watchdog, config) => {
        return new EmbeddedCluster(site, servers, watchdog, config, options);
      });
    } catch (error) {
      throw explainStartFailure(error, options.dataDir);
    }
  }

  /** A ready configuration for further gateway processes; the file is there while the cluster runs. */
  get configPath(): string {
    return this.#site.configPath;
  }

  /** The servers as they are now. */
  nodes(): ClusterNode[] {
    return this.#servers.nodes.map(({ spec, pid, state }) => ({
      id: spec.id,
      role: spec.role,
      port: this.#servers.portOf(spec.id),
      pid,
      state,
    }));
  }

  /** Sends a signal to a server: all of its processes, but for SIGTERM, which goes to the main one only. */
  async kill(nodeId: string, signal: FaultSignal = 'SIGKILL'): Promise<void> {
    await this.#servers.node(nodeId).signal(signal);
  }

  /** Stops a server as a crash would, and keeps it down until {@link release}. */
  async hold(nodeId: string): Promise<void> {
    await this.#servers.hold(nodeId);
  }

  /** Starts a held server and waits until it accepts connections. */
  async release(nodeId: string): Promise<void> {
    await this.#servers.release(nodeId);
  }

  /** Changes PostgreSQL settings of one server while it runs; those that need a restart wait for one. */
  async setConfig(nodeId: string, settings: Readonly<Record<string, string>>): Promise<void> {
    await this.#servers.configure(nodeId, settings);
  }

  /** Stops all servers, primaries before replicas, and gives the data directory back. May be called twice. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  async #stop(): Promise<void> {
    const startedAt = performance.now();
    await rm(this.configPath, { force: true });
    this.#replicaWatch.stop();
    await this.#servers.stop(this.#disposable ? 'immediate' : 'fast');
    this.#watchdog.dismiss();
    await this.#site.close(this.#disposable);
    this.#log.info({ durationMs: Math.round(performance.now() - startedAt) }, 'embedded cluster stopped');
  }
}

async function startOn<T>(
  site: ClusterSite,
  options: EmbeddedClusterOptions,
  log: Log,
  finish: (servers: ClusterServers, watchdog: Watchdog, config: ClusterConfig) => T,
): Promise<T> {
  const { nodesDir } = site.home;
  const servers = new ClusterServers(site, options);
  await endWatchdogsOf(nodesDir);
  const watchdog = Watchdog.start({
    nodesDir,
    configPath: site.configPath,
    remove: options.disposable === true ? site.directories : [],
  });
  const timed = async (phase: string, work: Promise<void>): Promise<void> => {
    const startedAt = performance.now();
    await work;
    log.info({ phase, durationMs: Math.round(performance.now() - startedAt) }, `embedded cluster: ${phase}`);
  };
  try {
    await rm(site.configPath, { force: true });
    await endLeftoverServers(nodesDir, site.runAs, log);
    await timed('data directories are there', servers.prepare());
    await timed('catalog and primaries are up', servers.startLeaders());
    await site.keepManifest(servers.ports);
    await timed('replicas stream', servers.startReplicas());
    await site.keepManifest(servers.ports);
    const specs = servers.nodes.map(({ spec }) => spec);
    const config = servers.urls.config(specs, (nodeId) => servers.portOf(nodeId));
    await writePrivateJson(site.configPath, { ...options.shared, ...config });
    return finish(servers, watchdog, config);
  } catch (error) {
    await servers.stop('immediate');
    watchdog.dismiss();
    await site.close(options.disposable ?? false);
    throw error;
  }
}
