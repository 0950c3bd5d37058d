/** A right over rows that the gateway's login has on an entity's table. */
type RowPrivilege = 'SELECT' | 'INSERT' | 'UPDATE' | 'DELETE';

/** How an entity's rows may be used. */
export interface ShardedOptions {
  /** What the gateway's login may do; all four by default. Without `DELETE`, say, no code path can delete. */
  readonly grants?: readonly RowPrivilege[];
  /**
   * Whether answers that rows of this entity are part of may come from the cache, and how old they may be (ms),
   * where a call does not say so itself. Default: true.
   */
  readonly cache?: boolean | { readonly ttlMs: number };
}

/** Kept on the class itself: a mark on it, not state of a gateway. */
const SHARDED = Symbol('shardgate:sharded');

/**
 * Declares that an entity's rows live with the user who owns them. The class extends `ShardedEntity`, and
 * its table is put under row-level security by the migrations.
 *
 * @example
 * ```ts
 * @Sharded()
 * @Entity({ schema: 'billing', name: 'invoices' })
 * class Invoice extends ShardedEntity {}
 * ```
 */
export function Sharded(options: ShardedOptions = {}): ClassDecorator {
  return (target) => {
    Object.defineProperty(target, SHARDED, { value: options });
  };
}

/** What a class was declared with; undefined when it was not declared with {@link Sharded}. */
export function shardedOptionsOf(target: object): ShardedOptions | undefined {
  return Object.getOwnPropertyDescriptor(target, SHARDED)?.value as ShardedOptions | undefined;
}
