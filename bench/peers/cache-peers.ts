import { packageVersion } from '../harness/versions.js';
import type { BentocachePeer } from './bentocache-peer.js';
import { ifInstalled, missingPackage } from './optional-peer.js';
import { PgPeer } from './pg-peer.js';
import { TypeormCachePeer } from './typeorm-cache-peer.js';

const BENTOCACHE = 'bentocache';

/** What our cache is measured against. */
export interface CachePeers {
  /** Where the caches in this process get from what they do not have. */
  readonly pg: PgPeer;
  readonly typeorm: TypeormCachePeer;
  /** Undefined when it is not installed. */
  readonly bentocache: BentocachePeer | undefined;
  readonly versions: Readonly<Record<string, string>>;
  close(): Promise<void>;
}

/** Why a table may lack BentoCache. */
export const BENTOCACHE_MISSING = missingPackage(BENTOCACHE);

/**
 * Opens the peers.
 *
 * @param url of a primary
 */
export async function openCachePeers(url: string, connections: number): Promise<CachePeers> {
  const module = await ifInstalled(import('./bentocache-peer.js'));
  const plain = new PgPeer(url, connections);
  const bentocache = module && new module.BentocachePeer(plain);
  const typeorm = await TypeormCachePeer.open(url, connections);
  return {
    pg: plain,
    typeorm,
    bentocache,
    versions: {
      'lru-cache': await packageVersion('lru-cache'),
      typeorm: await packageVersion('typeorm'),
      [BENTOCACHE]: bentocache === undefined ? 'missing' : await packageVersion(BENTOCACHE),
    },
    close: async () => {
      await Promise.all([plain.close(), typeorm.close(), bentocache?.close()]);
    },
  };
}
