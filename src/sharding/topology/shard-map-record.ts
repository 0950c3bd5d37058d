import { z } from 'zod';
import { SHARD_ID_PATTERN, TENANT_ID_PATTERN } from '../../common/identifiers.js';
import { BUCKET_COUNT } from './bucket.js';

const shardId = z.string().regex(SHARD_ID_PATTERN);
const bucket = z
  .int()
  .min(0)
  .max(BUCKET_COUNT - 1);

/** How a shard map is kept in the catalog. */
export const shardMapRecordSchema = z.strictObject({
  /** Version of this form; a gateway refuses one that it does not know. */
  format: z.literal(1),
  epoch: z.int().min(1),
  /** Runs of buckets with their shard, `[first, last, shard]`, ascending and without a gap. */
  ranges: z.array(z.tuple([bucket, bucket, shardId])).min(1),
  /** Dedicated tenants and the one shard that holds all of each. */
  overrides: z.record(z.string().regex(TENANT_ID_PATTERN), shardId),
});

/** A shard map as JSON. */
export type ShardMapRecord = z.infer<typeof shardMapRecordSchema>;
