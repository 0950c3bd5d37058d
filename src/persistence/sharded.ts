/** Classes that were declared with `@Sharded()`; a mark on the class, not state of a gateway. */
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
export function Sharded(): ClassDecorator {
  return (target) => {
    Object.defineProperty(target, SHARDED, { value: true });
  };
}

/** Whether a class was declared with {@link Sharded}. */
export function isSharded(target: unknown): boolean {
  return typeof target === 'function' && Object.hasOwn(target, SHARDED);
}
