/** Whose rows a call touches: it decides which of the caller's own writes a read must show. */
export interface ShardCall {
  readonly shardId: string;
  /** The user whose rows these are, when the call is about one user. */
  readonly userId?: string | undefined;
  /** The login that its statements run on: `tenant` for text that a caller wrote. Default: `shared`. */
  readonly login?: 'shared' | 'tenant';
}

/**
 * A caller's SQL may end its own session, and whether the server's word on that arrives, or only the end of the
 * socket, is a matter of luck: the loss of a tenant's connection says nothing of the node.
 */
export function isNewsOfNode({ login }: ShardCall): boolean {
  return login !== 'tenant';
}
