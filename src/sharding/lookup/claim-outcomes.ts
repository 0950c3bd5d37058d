import type { EntityManager } from 'typeorm';
import { sqlStateOf } from '../connections/failure.js';
import type { Router } from '../routing/router.js';
import { ClaimLostError } from './claim-lost-error.js';
import type { LookupAccess, LookupReadOptions } from './lookup-access.js';
import type { EntryOwner } from './lookup-entries.js';
import type { LookupSteps } from './lookup-steps.js';

/** What became of a claim; `undecided` while its owner's transaction is under way and nobody can say. */
export type ClaimFate = 'created' | 'abandoned' | 'undecided';

interface OutcomeRow {
  readonly outcome: 'created' | 'abandoned';
}

const UNIQUE_VIOLATION = '23505';
/** The wait for the owner's transaction ended by `lock_timeout`, or by a shorter `statement_timeout`. */
const WAITED_IN_VAIN = new Set(['55P03', '57014']);

/**
 * Without ON CONFLICT on purpose: where a tombstone is, the server itself refuses the whole transaction, so
 * that no caller can keep the row by overlooking an error.
 */
const RECORD_SQL = `
  INSERT INTO shardgate.claim_outcomes (tenant_id, row_id, user_id, bucket, outcome)
  VALUES ($1, $2, $3, $4, 'created')`;

/** Waits for an owner that has recorded its outcome and not committed yet. */
const ABANDON_SQL = `
  INSERT INTO shardgate.claim_outcomes (tenant_id, row_id, user_id, bucket, outcome)
  VALUES ($1, $2, $3, $4, 'abandoned')
  ON CONFLICT DO NOTHING
  RETURNING outcome`;

const READ_SQL = `
  SELECT outcome FROM shardgate.claim_outcomes WHERE tenant_id = $1 AND row_id = $2`;

const LOCK_TIMEOUT_SQL = `SELECT set_config('lock_timeout', $1, true)`;

/**
 * What became of claims, each on the home shard of its row: written in the row's own transaction, or as a
 * tombstone by whoever needs to know. Only one of the two can be.
 */
export class ClaimOutcomes {
  readonly #access: LookupAccess;
  readonly #router: Router;
  readonly #steps: LookupSteps;

  constructor(access: LookupAccess, router: Router, steps: LookupSteps) {
    this.#access = access;
    this.#router = router;
    this.#steps = steps;
  }

  /**
   * Records inside the row's own transaction that the row is being made.
   *
   * @throws ClaimLostError when there is a tombstone; the transaction can only be rolled back then
   */
  async recordCreated(manager: EntityManager, tenantId: string, owner: EntryOwner): Promise<void> {
    const { bucket } = this.#router.forId({ tenantId, id: owner.rowId });
    const params = [tenantId, owner.rowId, owner.userId, bucket];
    try {
      await this.#steps.around('record', () => manager.query(RECORD_SQL, params));
    } catch (error) {
      throw sqlStateOf(error) === UNIQUE_VIOLATION ? new ClaimLostError(error) : error;
    }
  }

  /**
   * Settles a claim: writes a tombstone unless an outcome is there. A row of this id can never be made
   * after `abandoned` was the answer.
   *
   * @param waitMs how long to wait for an owner in the middle of its transaction before `undecided`
   * @throws ShardUnavailableError when the row's home shard is away
   */
  async abandon(tenantId: string, owner: EntryOwner, waitMs: number): Promise<ClaimFate> {
    try {
      return await this.#steps.around('abandon', () => this.#writeTombstone(tenantId, owner, waitMs));
    } catch (error) {
      if (WAITED_IN_VAIN.has(sqlStateOf(error) ?? '')) return 'undecided';
      throw error;
    }
  }

  /** Whether the row of a claim exists; leaves no tombstone where it does not. */
  async wasCreated(tenantId: string, owner: EntryOwner, options: LookupReadOptions): Promise<boolean> {
    const { shardId } = this.#router.forId({ tenantId, id: owner.rowId });
    const call = { shardId, userId: owner.userId };
    const outcome = await this.#access.read(
      call,
      (manager) => readOutcome(manager, tenantId, owner.rowId),
      options,
    );
    return outcome === 'created';
  }

  async #writeTombstone(tenantId: string, { rowId, userId }: EntryOwner, waitMs: number): Promise<ClaimFate> {
    const { shardId, bucket } = this.#router.forId({ tenantId, id: rowId });
    return this.#access.write({ shardId, userId }, (manager) =>
      // The last statement must see what was committed while the one before it waited.
      manager.transaction('READ COMMITTED', async (transaction) => {
        await transaction.query(LOCK_TIMEOUT_SQL, [`${Math.max(1, Math.ceil(waitMs))}ms`]);
        const params = [tenantId, rowId, userId, bucket];
        const [written] = await transaction.query<OutcomeRow[]>(ABANDON_SQL, params);
        return written?.outcome ?? (await readOutcome(transaction, tenantId, rowId)) ?? 'undecided';
      }),
    );
  }
}

async function readOutcome(
  manager: EntityManager,
  tenantId: string,
  rowId: string,
): Promise<OutcomeRow['outcome'] | undefined> {
  const [row] = await manager.query<OutcomeRow[]>(READ_SQL, [tenantId, rowId]);
  return row?.outcome;
}
