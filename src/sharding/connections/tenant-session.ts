import type { ShardPosition } from '../../common/shard-position.js';

/** In whose name, and for what, statements run on a node. */
export interface TenantSession {
  /** The tenant whose rows are visible; row-level security holds it. */
  readonly tenantId: string;
  /** Who does it; triggers that write the audit log read it. */
  readonly actor: string;
  /** `read` makes the server itself refuse every write. */
  readonly access: 'read' | 'write';
  /**
   * Which login the connections have. `shared`, the gateway's own, is for statements that the library makes:
   * a setting names the tenant. `tenant` is for text that a caller wrote, which could change any setting: the
   * server knows the tenant by the login itself.
   */
  readonly login: 'shared' | 'tenant';
  /** Called after each commit with a position that every committed write of it lies before. */
  readonly onCommitted?: (position: Omit<ShardPosition, 'shardId'>) => void;
}
