import { randomBytes } from 'node:crypto';

/** Which transaction over several shards, as far as its name tells. */
export interface Gid {
  /** Whose it is: recovery touches no other installation's. */
  readonly installationId: string;
  /** The first participant, which has the commit record. */
  readonly firstShardId: string;
}

/** PostgreSQL takes 199 bytes; this has 102 at most. */
const GID_PATTERN =
  /^shardgate:([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}):([a-z][a-z0-9_]{0,30}):[A-Za-z0-9_-]{22}$/;

const RANDOM_BYTES = 16;

/** A new name for a transaction over several shards. */
export function mintGid({ installationId, firstShardId }: Gid): string {
  const gid = `shardgate:${installationId}:${firstShardId}:${randomBytes(RANDOM_BYTES).toString('base64url')}`;
  // What recovery would not know again must not be prepared.
  if (!GID_PATTERN.test(gid)) throw new TypeError('The installation or shard cannot be part of a gid.');
  return gid;
}

/** @returns undefined for whatever else is prepared on a server */
export function parseGid(gid: string): Gid | undefined {
  const [, installationId, firstShardId] = GID_PATTERN.exec(gid) ?? [];
  if (installationId === undefined || firstShardId === undefined) return undefined;
  return { installationId, firstShardId };
}
