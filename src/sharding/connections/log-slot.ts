import type { Client } from 'pg';
import { PgoutputPlugin, type Pgoutput } from 'pg-logical-replication';
import type { LogHistory } from '../../common/replicated-change.js';
import { CACHE_PUBLICATION } from './cache-publication.js';

const ROLE_SQL = 'SELECT pg_is_in_recovery() AS standby';

/** The tables whose rows are published, if it is with what identifies them. */
const PUBLISHED_SQL = `
  SELECT schemaname || '.' || tablename AS name FROM pg_publication_tables
  WHERE pubname = '${CACHE_PUBLICATION}' AND attnames @> '{tenant_id,id}' AND rowfilter IS NULL`;

interface IdentityRow {
  readonly systemid: string;
  /** PostgreSQL 15 and newer call it a bigint, so that the driver leaves it as text. */
  readonly timeline: string;
}

interface SlotRow {
  readonly consistent_point: string;
}

/** Stands for a message that could not be read: one of a kind that nobody looks at. */
const UNREADABLE: Pgoutput.Message = { tag: 'origin', originLsn: null, originName: '' };

/** What is needed of a slot. */
interface SlotNeeds {
  /** The tables that must be published, `schema.table`. */
  readonly tables: readonly string[];
  /** Is called before the first message, with where the stream begins. */
  readonly onStarting: (history: LogHistory, lsn: string) => void;
  /** A message could not be read. */
  readonly onUnreadable: (error: unknown) => void;
}

/**
 * A logical slot that the server makes when the stream starts, and drops with its connection, however that
 * ends: no log is kept for a process that is gone.
 */
export class LogSlot extends PgoutputPlugin {
  readonly #needs: SlotNeeds;

  constructor(needs: SlotNeeds) {
    super({ protoVersion: 1, publicationNames: [CACHE_PUBLICATION] });
    this.#needs = needs;
  }

  /** @throws Error that says what is missing */
  override async start(client: Client, slotName: string): Promise<unknown> {
    const { rows: identity } = await client.query<IdentityRow>('IDENTIFY_SYSTEM');
    const { rows: role } = await client.query<{ standby: boolean }>(ROLE_SQL);
    if (role[0]?.standby !== false) throw new Error('the server is a standby');
    const { rows: published } = await client.query<{ name: string }>(PUBLISHED_SQL);
    const names = new Set(published.map(({ name }) => name));
    const missing = this.#needs.tables.filter((table) => !names.has(table));
    if (missing.length > 0) throw new Error(`not published: ${missing.join(', ')}; run shardgate migrate`);
    const { rows: made } = await client.query<SlotRow>(
      `CREATE_REPLICATION_SLOT "${slotName}" TEMPORARY LOGICAL pgoutput (SNAPSHOT 'nothing')`,
    );
    const [server] = identity;
    const [slot] = made;
    if (server === undefined || slot === undefined) throw new Error('the server made no slot');
    this.#needs.onStarting(
      { systemIdentifier: server.systemid, timeline: Number(server.timeline) },
      slot.consistent_point,
    );
    return super.start(client, slotName, slot.consistent_point);
  }

  /** Never throws: it would in the middle of the driver. */
  override parse(buffer: Buffer): Pgoutput.Message {
    try {
      return super.parse(buffer);
    } catch (error) {
      this.#needs.onUnreadable(error);
      return UNREADABLE;
    }
  }
}
