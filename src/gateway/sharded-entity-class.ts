import type { ShardedEntity } from '../persistence/sharded-entity.js';

/** The class of an entity whose rows live with their users. */
export type ShardedEntityClass<T extends ShardedEntity = ShardedEntity> = new () => T;
