import type pg from 'pg';
import type { ShardPosition } from '../../common/shard-position.js';

/** Rows of one table. */
export interface ChangedRows {
  /** `schema.table`, without quotes. */
  readonly table: string;
  /** Values of the `id` column; undefined where it is not known which rows. */
  readonly ids: readonly string[] | undefined;
}

/**
 * Follows one transaction: what it sends, and what becomes of it. After `committing` or `preparing` exactly one of
 * the last three is called, before whoever committed is told; `committed` may follow `unknown`, when it was found
 * out after all.
 */
export interface TransactionWatch {
  /** A statement is about to be sent. */
  sending(sql: string, params: readonly unknown[]): void;
  /** A statement that the library wrote, and of which it says itself what it changes, has changed these rows. */
  wrote(rows: readonly ChangedRows[]): void;
  /** COMMIT is about to be sent. @returns what is to be notified with it, if it is kept */
  committing(): readonly string[];
  /** PREPARE TRANSACTION is about to be sent. Nothing can be notified with it. */
  preparing(): void;
  /** What it wrote is kept, and lies before this position. @returns what is to be notified now, before anybody is told */
  committed(position: Omit<ShardPosition, 'shardId'>): readonly string[];
  /** Nothing of it is kept. */
  undone(): void;
  /**
   * Nobody knows whether it is kept: the connection broke meanwhile.
   *
   * @param processId of the server's process that may still be at it; 0 where none can be
   * @param gid under which it may be prepared: as long as it is, it may still be kept
   */
  unknown(processId: number, gid?: string): void;
}

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
  /** How long each of its statements waits for a lock, ms. Default: as long as the statement may take. */
  readonly lockTimeoutMs?: number;
  /** Answers statements outside of transactions, in place of a connection. */
  readonly answer?: (sql: string, params: readonly unknown[]) => Promise<pg.QueryResult>;
  /** Makes who follows a transaction; asked for each, those of single statements included. */
  readonly watch?: () => TransactionWatch;
}
