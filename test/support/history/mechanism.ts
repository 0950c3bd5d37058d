import type { ShardPosition } from '../../../src/common/shard-position.js';
import type { QueryCache } from '../../../src/cache/query-cache.js';
import type { KeptAnswer } from '../../../src/gateway/cached-reads.js';

/**
 * What keeps the cache true and can be taken out of it, to see that the history checker notices:
 *
 * - fence: rows whose write is about to be committed, or is and nobody has been told, are served and kept as ever;
 * - position: what is to be kept may come from a replica that does not show the latest writes;
 * - gap: what was missed while the bus was cut stays missed.
 */
export type Mechanism = 'fence' | 'position' | 'gap';
export const MECHANISMS: readonly Mechanism[] = ['fence', 'position', 'gap'];

/**
 * Takes them out, each for the answers of one tenant alone.
 *
 * @param tenants which one, for each
 */
export function takeOut(
  cache: QueryCache<KeptAnswer> | undefined,
  tenants: Readonly<Record<Mechanism, string>>,
): void {
  if (cache === undefined) throw new Error('The process has no cache.');
  const beginWrite = cache.beginWrite.bind(cache);
  const fill = cache.fill.bind(cache);
  cache.beginWrite = (place, rows) => {
    if (place.tenantId !== tenants.fence) return beginWrite(place, rows);
    // One around nothing, in whose place the rows are changed when it ends.
    return Object.assign(beginWrite(place, []), {
      committed: (position: ShardPosition) => {
        beginWrite(place, rows).committed(position);
      },
    });
  };
  cache.fill = (read, tables, ask) =>
    fill(read, tables, read.tenantId === tenants.position ? () => ask(undefined) : ask);
  cache.beginUnheard = (shardId) => {
    const [fence, others] = [tenants.fence, tenants.position].map((tenantId) =>
      beginWrite({ shardId, tenantId }, 'anything'),
    );
    if (fence === undefined || others === undefined) throw new Error('There are other tenants.');
    const committed = fence.committed.bind(fence);
    return Object.assign(fence, {
      committed: (position: ShardPosition) => {
        others.committed(position);
        committed(position);
      },
    });
  };
}
