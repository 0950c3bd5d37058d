import type { EntityManager } from 'typeorm';
import type { LookupAccess, LookupReadOptions } from './lookup-access.js';
import type { LookupSteps } from './lookup-steps.js';

/** Names one value of one index of one tenant, and where its entry lives. */
export interface LookupKey {
  readonly tenantId: string;
  readonly index: string;
  readonly value: string;
  readonly shardId: string;
  readonly bucket: number;
}

/** The row that a value belongs to, or is claimed for. */
export interface EntryOwner {
  readonly rowId: string;
  readonly userId: string;
}

/** What the entry of a value says. */
export interface LookupEntry extends EntryOwner {
  readonly state: 'claimed' | 'confirmed';
  /** Milliseconds since the claim, by the clock of the shard that keeps the entry. */
  readonly ageMs: number;
}

/** A claim that was not confirmed for some time. */
export interface StaleClaim extends EntryOwner {
  readonly index: string;
  readonly value: string;
}

/** Waits for a claim of the same value that is just being written, so that of two only one is told yes. */
const CLAIM_SQL = `
  INSERT INTO shardgate.lookup_entries (tenant_id, index_name, value, bucket, row_id, user_id, state, claimed_at)
  VALUES ($1, $2, $3, $4, $5, $6, 'claimed', clock_timestamp())
  ON CONFLICT DO NOTHING
  RETURNING row_id AS "rowId"`;

const READ_SQL = `
  SELECT row_id AS "rowId", user_id AS "userId", state,
         (extract(epoch FROM clock_timestamp() - claimed_at) * 1000)::float8 AS "ageMs"
  FROM shardgate.lookup_entries
  WHERE tenant_id = $1 AND index_name = $2 AND value = $3`;

/** Repeatable: who finds a claim whose row exists confirms it too. */
const CONFIRM_SQL = `
  UPDATE shardgate.lookup_entries SET state = 'confirmed'
  WHERE tenant_id = $1 AND index_name = $2 AND value = $3 AND row_id = $4 AND state = 'claimed'`;

/** Names the row, so that a claim that somebody else has taken over meanwhile stays theirs. */
const RELEASE_SQL = `
  DELETE FROM shardgate.lookup_entries
  WHERE tenant_id = $1 AND index_name = $2 AND value = $3 AND row_id = $4 AND state = 'claimed'`;

/** Compare-and-set: of several who found the same abandoned claim, one gets it. */
const TAKE_OVER_SQL = `
  UPDATE shardgate.lookup_entries
  SET row_id = $5, user_id = $6, claimed_at = clock_timestamp()
  WHERE tenant_id = $1 AND index_name = $2 AND value = $3 AND row_id = $4 AND state = 'claimed'`;

/** The predicate on the state is that of the partial index over claims. */
const STALE_SQL = `
  SELECT index_name AS "index", value, row_id AS "rowId", user_id AS "userId"
  FROM shardgate.lookup_entries
  WHERE tenant_id = $1 AND state = 'claimed'
    AND claimed_at <= clock_timestamp() - $2::float8 * interval '1 millisecond'
  ORDER BY claimed_at
  LIMIT $3`;

/** The entries of values, each on the shard of its value's hash. */
export class LookupEntries {
  readonly #access: LookupAccess;
  readonly #steps: LookupSteps;

  constructor(access: LookupAccess, steps: LookupSteps) {
    this.#access = access;
    this.#steps = steps;
  }

  /** Claims a value for a row that is to be made. @returns false when the value has an entry already */
  async claim(key: LookupKey, { rowId, userId }: EntryOwner): Promise<boolean> {
    const { tenantId, index, value, bucket, shardId } = key;
    const rows = await this.#steps.around('claim', () =>
      this.#access.write({ shardId, userId }, (manager) =>
        manager.query<EntryOwner[]>(CLAIM_SQL, [tenantId, index, value, bucket, rowId, userId]),
      ),
    );
    return rows.length > 0;
  }

  /** The entry of a value, if it has one. */
  async read(key: LookupKey, options: LookupReadOptions): Promise<LookupEntry | undefined> {
    const { tenantId, index, value, shardId } = key;
    const [entry] = await this.#access.read(
      { shardId },
      (manager) => manager.query<LookupEntry[]>(READ_SQL, [tenantId, index, value]),
      options,
    );
    return entry;
  }

  /** Makes a claim final: its row exists. */
  async confirm(key: LookupKey, owner: EntryOwner): Promise<void> {
    await this.#steps.around('confirm', () => this.#change(key, owner.userId, CONFIRM_SQL, [owner.rowId]));
  }

  /** Gives a value back for which no row was made. */
  async release(key: LookupKey, owner: EntryOwner): Promise<void> {
    await this.#steps.around('release', () => this.#change(key, owner.userId, RELEASE_SQL, [owner.rowId]));
  }

  /** Makes an abandoned claim one's own. @returns false when the claim is not `abandonedRowId`'s any more */
  async takeOver(key: LookupKey, abandonedRowId: string, heir: EntryOwner): Promise<boolean> {
    const changed = await this.#steps.around('take-over', () =>
      this.#change(key, heir.userId, TAKE_OVER_SQL, [abandonedRowId, heir.rowId, heir.userId]),
    );
    return changed > 0;
  }

  /** Claims on one shard that are older than this, oldest first. */
  stale(shardId: string, tenantId: string, olderThanMs: number, limit: number): Promise<StaleClaim[]> {
    return this.#access.read(
      { shardId },
      (manager) => manager.query<StaleClaim[]>(STALE_SQL, [tenantId, olderThanMs, limit]),
      { from: 'primary' },
    );
  }

  async #change(key: LookupKey, userId: string, sql: string, more: readonly string[]): Promise<number> {
    const { tenantId, index, value, shardId } = key;
    return this.#access.write({ shardId, userId }, (manager) =>
      countChanged(manager, sql, [tenantId, index, value, ...more]),
    );
  }
}

/** TypeORM answers UPDATE and DELETE with rows and their number. */
async function countChanged(manager: EntityManager, sql: string, params: string[]): Promise<number> {
  const [, changed] = await manager.query<[unknown[], number]>(sql, params);
  return changed;
}
