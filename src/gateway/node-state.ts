import type { NodeStatus, OutReason } from '../sharding/replication/node-status.js';

/** Whether a server is in use. `lagging`: a replica answers, but is too far behind to be read from. */
export type NodeState = 'up' | 'lagging' | 'down';

/** What a replica is out for that time alone can mend. */
const LAGGING: ReadonlySet<OutReason> = new Set(['lagging', 'catching up']);

/** The state of a node, from what is known of it. A primary never lags. */
export function nodeStateOf({ reason }: Pick<NodeStatus, 'reason'>): NodeState {
  if (reason === undefined) return 'up';
  return LAGGING.has(reason) ? 'lagging' : 'down';
}
