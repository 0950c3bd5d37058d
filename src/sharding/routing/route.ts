/** One shard answers. */
export interface OneShardRoute {
  readonly kind: 'one';
  readonly shardId: string;
  /** The bucket that led there, when one did. */
  readonly bucket?: number;
}

/** Some shards answer, each for its part. */
export interface TheseShardsRoute {
  readonly kind: 'these';
  readonly shardIds: readonly string[];
}

/** Every shard that can hold rows of the tenant answers. */
export interface AllShardsRoute {
  readonly kind: 'all';
  readonly shardIds: readonly string[];
}

/** Where a statement goes. All that follows the router handles only this. */
export type Route = OneShardRoute | TheseShardsRoute | AllShardsRoute;

/** The shards of a route, each once. */
export function shardIdsOf(route: Route): readonly string[] {
  return route.kind === 'one' ? [route.shardId] : route.shardIds;
}
