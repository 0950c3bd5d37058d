import { packageVersion } from '../harness/versions.js';
import type { DrizzlePeer } from './drizzle-peer.js';
import { ifInstalled, missingPackage } from './optional-peer.js';
import { PgPeer } from './pg-peer.js';
import { TypeormPeer } from './typeorm-peer.js';

const DRIZZLE = 'drizzle-orm';

/** What our reads are measured against, all on one node with as many connections each. */
export interface ReadPeers {
  readonly pg: PgPeer;
  readonly typeorm: TypeormPeer;
  /** Undefined when it is not installed. */
  readonly drizzle: DrizzlePeer | undefined;
  readonly versions: Readonly<Record<string, string>>;
  close(): Promise<void>;
}

/** Why a table may lack Drizzle. */
export const DRIZZLE_MISSING = missingPackage(DRIZZLE);

/** Opens the peers. */
export async function openReadPeers(url: string, connections: number): Promise<ReadPeers> {
  const module = await ifInstalled(import('./drizzle-peer.js'));
  const drizzle = module && new module.DrizzlePeer(url, connections);
  const plain = new PgPeer(url, connections);
  const typeorm = await TypeormPeer.open(url, connections);
  return {
    pg: plain,
    typeorm,
    drizzle,
    versions: {
      pg: await packageVersion('pg'),
      typeorm: await packageVersion('typeorm'),
      [DRIZZLE]: drizzle === undefined ? 'missing' : await packageVersion(DRIZZLE),
    },
    close: async () => {
      await Promise.all([plain.close(), typeorm.close(), drizzle?.close()]);
    },
  };
}
