/** How the connections that are logged in as tenants are kept, per node. */
export interface TenantConnectionOptions {
  /** Most connections at once, of all tenants together. Default 10; one tenant has at most half of them. */
  readonly max: number;
  /** Time after which a connection that nobody uses is closed. Default 10,000. */
  readonly idleMs: number;
  /** How long a caller waits for a connection before `pool_exhausted`. */
  readonly acquireTimeoutMs: number;
  /** How long one login may take before the node counts as away. */
  readonly connectTimeoutMs: number;
  /** Age after which a connection is replaced. */
  readonly recycleMs: number;
  /** Longest time a statement may run on the server, unless the caller's SQL sets another. */
  readonly statementTimeoutMs: number;
}
