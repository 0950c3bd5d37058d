/** Whose transfers a batch is of, and on which shards their accounts are. */
export interface BatchPlace {
  readonly tenantId: string;
  /** One or two, in the order of their ids: that is the order in which everybody locks, and whose first one decides. */
  readonly shardIds: readonly string[];
}

/** The place of transfers between these shards, which may be the same. */
export function placeOf(tenantId: string, shardIds: readonly string[]): BatchPlace {
  return { tenantId, shardIds: [...new Set(shardIds)].sort() };
}
