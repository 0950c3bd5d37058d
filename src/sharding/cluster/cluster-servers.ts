import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import pLimit from 'p-limit';
import { ConfigurationError } from '../../common/gateway-error.js';
import { SILENT_LOG, type Log } from '../../common/log.js';
import { ClusterUrls, databaseOf } from './cluster-config.js';
import type { EmbeddedClusterOptions } from './cluster-options.js';
import type { ClusterSite } from './cluster-site.js';
import { setUpDatabase } from './database-setup.js';
import { findFreePort } from './free-port.js';
import { copyFreshPrimary, copyRunningPrimary, initializePrimary } from './node-builder.js';
import { NodeDirectory } from './node-directory.js';
import { planNodes, type NodeSpec } from './node-spec.js';
import { ServerStartError } from './postgres-server.js';
import { cannotFollow, waitForStreaming } from './replication-state.js';
import { renderAccess, renderSettings } from './server-settings.js';
import { SupervisedNode } from './supervised-node.js';

const PORT_ATTEMPTS_MAX = 5;
const STREAMING_TIMEOUT_MS = 10_000;

/** All servers of one cluster: made, started, configured and stopped together. */
export class ClusterServers {
  readonly urls: ClusterUrls;
  readonly #site: ClusterSite;
  readonly #options: EmbeddedClusterOptions;
  readonly #log: Log;
  readonly #nodes = new Map<string, SupervisedNode>();
  readonly #ports = new Map<string, number>();
  readonly #closing = new AbortController();
  readonly #turns = new Map<string, Promise<void>>();
  readonly #settings = new Map<string, Readonly<Record<string, string>>>();

  constructor(site: ClusterSite, options: EmbeddedClusterOptions) {
    this.#site = site;
    this.#options = options;
    this.#log = options.log ?? SILENT_LOG;
    this.urls = new ClusterUrls(site.secrets, site.tls?.caFile);
    for (const spec of planNodes(site.manifest.shards, site.manifest.replicas)) {
      const directory = new NodeDirectory(site.home.nodesDir, spec.id, site.runAs);
      this.#nodes.set(spec.id, new SupervisedNode(spec, directory, site.binaries, site.runAs, this.#log));
    }
  }

  /** All nodes: the catalog, then shard by shard. */
  get nodes(): SupervisedNode[] {
    return [...this.#nodes.values()];
  }

  /** @throws ConfigurationError when the cluster has no such node */
  node(nodeId: string): SupervisedNode {
    const node = this.#nodes.get(nodeId);
    if (node === undefined) {
      throw new ConfigurationError(
        `There is no node ${nodeId}; there are ${[...this.#nodes.keys()].join(', ')}.`,
      );
    }
    return node;
  }

  portOf(nodeId: string): number {
    const port = this.#ports.get(nodeId);
    if (port === undefined) throw new RangeError(`Node ${nodeId} has no port yet.`);
    return port;
  }

  /** The ports in use, by node. */
  get ports(): Record<string, number> {
    return Object.fromEntries(this.#ports);
  }

  /** A superuser's URL of a node's maintenance database. */
  maintenanceUrl(nodeId: string): string {
    return this.urls.admin(this.portOf(nodeId), 'postgres');
  }

  /** Makes the data directories that are not there yet. @throws ConfigurationError when known data is missing */
  async prepare(): Promise<void> {
    for (const { spec } of this.nodes) {
      const port = await findFreePort(this.#site.manifest.ports[spec.id], new Set(this.#ports.values()));
      this.#ports.set(spec.id, port);
    }
    const limit = pLimit(Math.max(2, availableParallelism()));
    await all(this.#leaders().map((node) => limit(() => this.#prepareLeader(node))));
  }

  /** Starts the catalog and the primaries, and makes their roles and databases. */
  async startLeaders(): Promise<void> {
    await all(
      this.#leaders().map(async (node) => {
        await this.#startOnFreePort(node);
        await setUpDatabase(this.maintenanceUrl(node.spec.id), databaseOf(node.spec), this.#site.secrets);
      }),
    );
  }

  /** Starts the replicas, makes those that are missing or cannot follow, and waits until they stream. */
  async startReplicas(): Promise<void> {
    await all(
      this.nodes.flatMap((node) => {
        const { primaryId } = node.spec;
        return primaryId === undefined ? [] : [this.#startReplica(node, primaryId)];
      }),
    );
  }

  /** Makes a replica anew from its running primary, and starts it; not one that is held. */
  rebuildReplica(node: SupervisedNode, primaryId: string): Promise<void> {
    return this.#inTurn(node.spec.id, async () => {
      if (node.state === 'held' || this.#closing.signal.aborted) return;
      this.#log.warn({ node: node.spec.id }, 'a replica is made anew from its primary');
      await node.stop('immediate');
      const primary = this.node(primaryId);
      const primaryUrl = this.maintenanceUrl(primaryId);
      await copyRunningPrimary(primary.directory, primaryUrl, node.directory, this.#site.runAs, async () => {
        await this.#startOnFreePort(node);
        await this.#streams(node.spec.id, primaryId);
      });
    });
  }

  /** Stops a server as a crash would, and keeps it down. */
  hold(nodeId: string): Promise<void> {
    return this.#inTurn(nodeId, () => this.node(nodeId).stop('immediate', 'held'));
  }

  /** Starts a held server. */
  release(nodeId: string): Promise<void> {
    return this.#inTurn(nodeId, () => this.node(nodeId).start(this.#closing.signal));
  }

  /** Adds settings to one node's own and makes it read them; those that need a restart wait for one. */
  async configure(nodeId: string, settings: Readonly<Record<string, string>>): Promise<void> {
    const node = this.node(nodeId);
    this.#settings.set(nodeId, { ...this.#settings.get(nodeId), ...settings });
    await this.#writeConfiguration(node);
    node.reload();
  }

  /** Stops everything: primaries first, so that their replicas get the rest of the log. */
  async stop(mode: 'fast' | 'immediate'): Promise<void> {
    this.#closing.abort();
    await Promise.all(this.#turns.values());
    if (mode === 'fast') await all(this.#leaders().map((node) => node.stop('fast')));
    await all(this.nodes.map((node) => node.stop(mode)));
  }

  /** Lets what stops and starts one node happen one after the other. */
  #inTurn(nodeId: string, work: () => Promise<void>): Promise<void> {
    const turn = (this.#turns.get(nodeId) ?? Promise.resolve()).then(work);
    this.#turns.set(
      nodeId,
      turn.catch(() => undefined),
    );
    return turn;
  }

  #leaders(): SupervisedNode[] {
    return this.nodes.filter(({ spec }) => spec.role !== 'replica');
  }

  #replicasOf(primaryId: string): SupervisedNode[] {
    return this.nodes.filter(({ spec }) => spec.primaryId === primaryId);
  }

  async #prepareLeader(node: SupervisedNode): Promise<void> {
    const { runAs, binaries, secrets } = this.#site;
    if (await node.directory.isInitialized()) {
      await node.directory.discardDrafts();
      return;
    }
    if (this.#hadData(node.spec)) {
      throw new ConfigurationError(
        `The data of ${node.spec.id} is missing from ${node.directory.path}; restore it from a backup, or choose an ` +
          'empty data directory.',
      );
    }
    await initializePrimary(binaries, node.directory, runAs, secrets.adminPassword);
    for (const replica of this.#replicasOf(node.spec.id)) {
      await copyFreshPrimary(node.directory, replica.directory, runAs);
    }
  }

  /** Whether an earlier start had this node: then its data may not silently be made anew. */
  #hadData(spec: NodeSpec): boolean {
    const { previous } = this.#site;
    return previous !== undefined && planNodes(previous.shards, 0).some(({ id }) => id === spec.id);
  }

  async #startReplica(node: SupervisedNode, primaryId: string): Promise<void> {
    const nodeId = node.spec.id;
    if (!(await node.directory.isInitialized())) {
      await this.rebuildReplica(node, primaryId);
    } else {
      await this.#startOnFreePort(node).catch(async (error: unknown) => {
        if (!(error instanceof ServerStartError)) throw error;
        await this.rebuildReplica(node, primaryId);
      });
    }
    if (await this.#streams(nodeId, primaryId)) return;
    if (cannotFollow(await node.readLog())) {
      await this.rebuildReplica(node, primaryId);
      if (await this.#streams(nodeId, primaryId)) return;
    }
    this.#log.warn({ node: nodeId }, 'a replica does not stream yet; reads go elsewhere meanwhile');
  }

  #streams(nodeId: string, primaryId: string): Promise<boolean> {
    return waitForStreaming(
      this.maintenanceUrl(primaryId),
      nodeId,
      STREAMING_TIMEOUT_MS,
      this.#closing.signal,
    );
  }

  async #startOnFreePort(node: SupervisedNode): Promise<void> {
    for (let attempt = 1; ; attempt += 1) {
      await this.#writeConfiguration(node);
      try {
        await node.start(this.#closing.signal);
        return;
      } catch (error) {
        const lostRace = error instanceof ServerStartError && error.portTaken;
        if (!lostRace || attempt >= PORT_ATTEMPTS_MAX) throw error;
        this.#ports.set(node.spec.id, await findFreePort(undefined, new Set(this.#ports.values())));
      }
    }
  }

  async #writeConfiguration({ spec, directory }: SupervisedNode): Promise<void> {
    const { tls, secrets } = this.#site;
    const tlsFiles = {
      certFile: join(directory.path, 'server.crt'),
      keyFile: join(directory.path, 'server.key'),
      caFile: join(directory.path, 'ca.crt'),
    };
    if (tls !== undefined) {
      await directory.writePrivate(tlsFiles.certFile, tls.cert);
      await directory.writePrivate(tlsFiles.keyFile, tls.key);
      await directory.writePrivate(tlsFiles.caFile, tls.ca);
    }
    const settings = renderSettings({
      nodeId: spec.id,
      clusterName: directory.processTitle,
      port: this.portOf(spec.id),
      fsync: this.#options.fsync ?? true,
      tls: tls === undefined ? undefined : tlsFiles,
      follows:
        spec.primaryId === undefined
          ? undefined
          : { port: this.portOf(spec.primaryId), password: secrets.replicationPassword },
      extra: { ...this.#options.settings, ...this.#settings.get(spec.id) },
    });
    await directory.writePrivate(join(directory.data, 'postgresql.conf'), settings);
    await directory.writePrivate(join(directory.data, 'pg_hba.conf'), renderAccess(tls !== undefined));
  }
}

/** Waits for all, and only then throws the first error: nothing goes on unseen behind a failure. */
async function all(work: readonly Promise<void>[]): Promise<void> {
  for (const result of await Promise.allSettled(work)) {
    if (result.status === 'rejected') throw result.reason;
  }
}
