import type { Log } from '../../common/log.js';
import type { ClusterServers } from './cluster-servers.js';
import { cannotFollow } from './replication-state.js';
import type { SupervisedNode } from './supervised-node.js';

const CHECK_EVERY_MS = 2_000;
/** After that many failed restarts a replica's data is taken to be the reason. */
const FAILED_STARTS_MAX = 3;

/** Looks after replicas that cannot follow their primary any more, and has them made anew. */
export class ReplicaWatch {
  readonly #servers: ClusterServers;
  readonly #log: Log;
  readonly #timer: NodeJS.Timeout;
  #stopped = false;
  #checking = false;

  constructor(servers: ClusterServers, log: Log) {
    this.#servers = servers;
    this.#log = log;
    this.#timer = setInterval(() => {
      void this.#check();
    }, CHECK_EVERY_MS);
    this.#timer.unref();
  }

  /** Ends the watch; a replica that is being made is the servers' to cancel. */
  stop(): void {
    this.#stopped = true;
    clearInterval(this.#timer);
  }

  /** One check at a time: making a replica anew may take longer than the pause between two. */
  async #check(): Promise<void> {
    if (this.#checking) return;
    this.#checking = true;
    for (const node of this.#servers.nodes) {
      const { primaryId } = node.spec;
      if (primaryId !== undefined && !this.#stopped) await this.#checkReplica(node, primaryId);
    }
    this.#checking = false;
  }

  async #checkReplica(node: SupervisedNode, primaryId: string): Promise<void> {
    try {
      if (!(await isHopeless(node)) || this.#servers.node(primaryId).state !== 'running') return;
      await this.#servers.rebuildReplica(node, primaryId);
    } catch (error) {
      this.#log.warn({ node: node.spec.id, reason: String(error) }, 'a replica could not be made anew yet');
    }
  }
}

async function isHopeless(node: SupervisedNode): Promise<boolean> {
  if (node.state === 'held') return false;
  // Down without being held: an attempt to make it anew failed halfway.
  if (node.state === 'down' || node.failedStarts >= FAILED_STARTS_MAX) return true;
  return cannotFollow(await node.readLog());
}
