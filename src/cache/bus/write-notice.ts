import type { WrittenRows } from '../table-rows.js';

/** One committed write, as other processes hear of it. */
export interface WriteNotice {
  readonly tenantId: string;
  readonly rows: WrittenRows;
  /**
   * Everything of the write lies before it. Undefined where the transaction told of itself, which it does
   * before its COMMIT has a place: the write lies before any position taken after the notice came.
   */
  readonly position?: WrittenBefore | undefined;
}

/** A place in the shard's write-ahead log: PostgreSQL's timeline, and the byte offset on it. */
export interface WrittenBefore {
  readonly timeline: number;
  readonly lsn: bigint;
}

/** Writes, each tenant's together; or more than can be told one by one. */
export type GatheredWrites = readonly WriteNotice[] | 'everything';
