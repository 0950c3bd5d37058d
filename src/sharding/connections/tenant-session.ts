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
   * Whether callers' own SQL ran here, asked at the end of each transaction. It can change session state, so
   * the connection is wiped before anybody else gets it.
   */
  readonly callersSql?: () => boolean;
  /** Called after each commit with a position that every committed write of it lies before. */
  readonly onCommitted?: (position: Omit<ShardPosition, 'shardId'>) => void;
}
