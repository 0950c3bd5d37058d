import { ScopeConflictError, ValidationError } from '../common/gateway-error.js';
import { ShardedEntity } from '../persistence/sharded-entity.js';
import { parseId } from '../sharding/topology/gateway-id.js';
import type { IdMint } from '../sharding/topology/id-mint.js';

/** Whose rows a call is about, and where they live. */
export interface RowOwner {
  readonly tenantId: string;
  /** The user; undefined for a call that is about one row of whichever user. */
  readonly userId: string | undefined;
  readonly bucket: number;
  readonly shardId: string;
}

/** The four columns that the gateway fills in. */
type RowIdentity = Pick<ShardedEntity, 'tenantId' | 'id' | 'userId' | 'bucket'>;

/**
 * Fills in whose row this is, and its id if it has none. Children that hang on it in relations are filled
 * in as well, since a cascade saves them on the same shard.
 *
 * @throws ScopeConflictError when the row says that it is somebody else's
 * @throws ValidationError when its id was not minted for this owner's bucket
 */
export function stampOwner(row: object, owner: RowOwner, ids: IdMint): void {
  stamp(row, owner, ids, new Set());
}

function stamp(row: object, owner: RowOwner, ids: IdMint, seen: Set<object>): void {
  if (seen.has(row)) return;
  seen.add(row);
  const identity = row as Partial<RowIdentity>;
  assertSame('tenantId', identity.tenantId, owner.tenantId);
  assertSame('userId', identity.userId, owner.userId);
  assertSame('bucket', identity.bucket, owner.bucket);
  identity.tenantId = owner.tenantId;
  if (owner.userId !== undefined) identity.userId = owner.userId;
  identity.bucket = owner.bucket;
  identity.id = identity.id === undefined ? ids.mint(owner.bucket) : idOfBucket(identity.id, owner.bucket);
  for (const value of Object.values(row) as unknown[]) {
    for (const child of Array.isArray(value) ? (value as unknown[]) : [value]) {
      if (child instanceof ShardedEntity) stamp(child, owner, ids, seen);
    }
  }
}

function assertSame(column: keyof RowIdentity, given: unknown, expected: unknown): void {
  if (given === undefined || expected === undefined || given === expected) return;
  throw new ScopeConflictError(
    `The row's ${column} is not that of the scope; leave it out, or use forUser(...) of the row's owner.`,
  );
}

function idOfBucket(id: string, bucket: number): string {
  const parsed = parseId(id);
  if (parsed.bucket !== bucket) {
    throw new ValidationError([
      { path: 'id', message: 'was not minted for this user; leave it out, and the gateway mints one' },
    ]);
  }
  return parsed.id;
}
