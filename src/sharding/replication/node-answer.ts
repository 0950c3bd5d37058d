import type { SqlRow } from '../../common/sql-executor.js';

/** What a node says of itself. */
export interface NodeAnswer {
  /** Whether it follows another server; a promoted replica does not. */
  readonly inRecovery: boolean;
  readonly timeline: number;
  /** In recovery: the end of the last record that it replayed. Otherwise: of the last that it wrote. */
  readonly lsn: bigint;
}

// Asked apart from any data read: a position selected together with rows can be newer than the snapshot in
// which the rows were read. The control file names the timeline of a standby late (at a restartpoint, or when
// it next writes out a page), never early.
export const NODE_STATUS_SQL = `
  SELECT standby AS "inRecovery",
         CASE WHEN standby THEN coalesce(pg_last_wal_replay_lsn(), '0/0')
              ELSE pg_current_wal_insert_lsn()
         END - '0/0'::pg_lsn AS lsn,
         CASE WHEN standby
              THEN greatest((SELECT timeline_id FROM pg_control_checkpoint()),
                            (SELECT min_recovery_end_timeline FROM pg_control_recovery()))
              ELSE ('x' || left(pg_walfile_name(pg_current_wal_insert_lsn()), 8))::bit(32)::int
         END AS timeline,
         current_setting('wal_block_size')::int AS "pageBytes"
    FROM pg_is_in_recovery() AS standby`;

/** A row of {@link NODE_STATUS_SQL}. */
export interface NodeStatusRow extends SqlRow {
  readonly inRecovery: boolean;
  readonly lsn: string;
  readonly timeline: number;
  readonly pageBytes: number;
}

/** Reads the row of a node's answer. */
export function answerOf({ inRecovery, lsn, timeline, pageBytes }: NodeStatusRow): NodeAnswer {
  const position = BigInt(lsn);
  return { inRecovery, timeline, lsn: inRecovery ? position : endOfLastRecord(position, BigInt(pageBytes)) };
}

const PAGE_HEADER_BYTES = 24n;
const SEGMENT_MIN_BYTES = 1024n * 1024n;
const SEGMENT_HEADER_BYTES = 40n;

/**
 * The end of the last record before the place where the next one will be inserted. The two differ at the
 * start of a page, where the insert position is already behind the page's header: no replica gets there
 * before the next record, and an idle primary would seem to be followed with a lag.
 */
export function endOfLastRecord(insertLsn: bigint, pageBytes: bigint): bigint {
  if (insertLsn % pageBytes === PAGE_HEADER_BYTES) return insertLsn - PAGE_HEADER_BYTES;
  if (insertLsn % SEGMENT_MIN_BYTES === SEGMENT_HEADER_BYTES) return insertLsn - SEGMENT_HEADER_BYTES;
  return insertLsn;
}
