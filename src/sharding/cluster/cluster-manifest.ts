import { z } from 'zod';
import { ConfigurationError } from '../../common/gateway-error.js';
import type { EmbeddedClusterOptions } from './cluster-options.js';
import { readJson } from './private-json.js';

const manifestSchema = z.object({
  shards: z.number().int().positive(),
  replicas: z.number().int().nonnegative(),
  postgresMajor: z.number().int().positive(),
  ports: z.record(z.string(), z.number().int()),
});

/** What a data directory remembers of its cluster from one start to the next. */
export type ClusterManifest = z.infer<typeof manifestSchema>;

const SHARDS_DEFAULT = 2;
const REPLICAS_DEFAULT = 1;

/** Reads the manifest; undefined before the first start. @throws ConfigurationError when it is damaged */
export async function readManifest(path: string): Promise<ClusterManifest | undefined> {
  const stored = await readJson(path);
  if (stored === undefined) return undefined;
  const parsed = manifestSchema.safeParse(stored);
  if (!parsed.success) {
    throw new ConfigurationError(
      `${path} is not a manifest of the embedded cluster; restore it from a backup.`,
    );
  }
  return parsed.data;
}

/**
 * The manifest of this start: what was asked for, else what was there, else the defaults.
 *
 * @throws ConfigurationError when data would be left out or cannot be read by this PostgreSQL
 */
export function nextManifest(
  previous: ClusterManifest | undefined,
  options: Pick<EmbeddedClusterOptions, 'shards' | 'replicas'>,
  postgresMajor: number,
): ClusterManifest {
  const shards = options.shards ?? previous?.shards ?? SHARDS_DEFAULT;
  if (previous !== undefined && shards < previous.shards) {
    throw new ConfigurationError(
      `The data directory holds ${previous.shards} shards and ${shards} were asked for; start it with ` +
        `${previous.shards} shards or choose another data directory.`,
    );
  }
  if (previous !== undefined && previous.postgresMajor !== postgresMajor) {
    throw new ConfigurationError(
      `The data directory was made by PostgreSQL ${previous.postgresMajor} and this is ${postgresMajor}; use the ` +
        'same major version, or choose another data directory and move the data over.',
    );
  }
  const replicas = options.replicas ?? previous?.replicas ?? REPLICAS_DEFAULT;
  return { shards, replicas, postgresMajor, ports: previous?.ports ?? {} };
}
