/** How the connections to one node are pooled. Every node of every shard gets such a pool of its own. */
export interface PoolOptions {
  /** Connections kept open while there is use for them. Default 10. */
  readonly size: number;
  /** Further connections opened under load and closed when idle. Default 5. */
  readonly overflow: number;
  /** Connections logged in as tenants, for callers' own SQL, beside the others; of all tenants together. Default 10. */
  readonly tenantSize: number;
  /** How long a caller waits for a connection before `pool_exhausted`. Default 30,000. */
  readonly acquireTimeoutMs: number;
  /** How long one connection attempt may take before the node counts as away. Default 5,000. */
  readonly connectTimeoutMs: number;
  /** Age after which a connection is replaced, less up to a tenth so that not all go at once. Default 3,600,000. */
  readonly recycleMs: number;
  /** Time after which a connection beyond `size` that nobody uses is closed. Default 10,000. */
  readonly idleTimeoutMs: number;
  /** Longest time a statement may run on the server. Default 30,000. */
  readonly statementTimeoutMs: number;
  /** Gateway processes that share the servers; the connection budget is computed with it. Default 1. */
  readonly processes: number;
}
