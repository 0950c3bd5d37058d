import { Column, PrimaryColumn } from 'typeorm';

/**
 * What every sharded row carries. The gateway fills all four in when a row is first saved; they never
 * change afterwards.
 */
export abstract class ShardedEntity {
  /** The tenant; first in every key, so that no key reaches across tenants. */
  @PrimaryColumn({ name: 'tenant_id', type: 'text' })
  tenantId!: string;

  /** A UUID that carries its bucket, minted by the gateway. */
  @PrimaryColumn({ type: 'uuid' })
  id!: string;

  /** The user who owns the row and decides on its shard. */
  @Column({ name: 'user_id', type: 'text', update: false })
  userId!: string;

  /** The bucket of tenant and user, 0 to 4,095. */
  @Column({ type: 'smallint', update: false })
  bucket!: number;
}
