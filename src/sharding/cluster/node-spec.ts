/** What a server of the cluster is for. */
export type NodeRole = 'catalog' | 'primary' | 'replica';

/** One server of the cluster, before anything is known about ports or processes. */
export interface NodeSpec {
  /** `catalog`, `s0` for a shard's primary, `s0.r1` for its first replica. */
  readonly id: string;
  readonly role: NodeRole;
  /** The node that a replica follows; undefined for the others. */
  readonly primaryId: string | undefined;
}

/** All servers of a cluster: the catalog, then shard by shard the primary and its replicas. */
export function planNodes(shards: number, replicas: number): NodeSpec[] {
  const nodes: NodeSpec[] = [{ id: 'catalog', role: 'catalog', primaryId: undefined }];
  for (let shard = 0; shard < shards; shard += 1) {
    const primaryId = `s${shard}`;
    nodes.push({ id: primaryId, role: 'primary', primaryId: undefined });
    for (let replica = 1; replica <= replicas; replica += 1) {
      nodes.push({ id: `${primaryId}.r${replica}`, role: 'replica', primaryId });
    }
  }
  return nodes;
}
