import type { SqlExecutor, SqlRow } from '../../common/sql-executor.js';
import { parseGid } from './gid.js';

/** Only whoever prepared a transaction can finish it, from the database that it is in. */
const PREPARED_SQL = `
  SELECT gid, (extract(epoch FROM clock_timestamp() - prepared) * 1000)::float8 AS "ageMs"
  FROM pg_catalog.pg_prepared_xacts
  WHERE database = current_database() AND owner = current_user AND gid LIKE 'shardgate:%'
  ORDER BY prepared`;

/** A part of a transaction of this installation that is prepared on a server. */
export interface PreparedPart {
  readonly gid: string;
  readonly firstShardId: string;
  /** By the server's clock. */
  readonly ageMs: number;
}

interface PreparedRow extends SqlRow {
  readonly gid: string;
  readonly ageMs: number;
}

/** What the gateways of an installation have prepared on a server; nothing of anybody else. */
export async function preparedParts(server: SqlExecutor, installationId: string): Promise<PreparedPart[]> {
  const rows = await server.query<PreparedRow>(PREPARED_SQL);
  return rows.flatMap(({ gid, ageMs }) => {
    const name = parseGid(gid);
    return name?.installationId === installationId ? [{ gid, firstShardId: name.firstShardId, ageMs }] : [];
  });
}
