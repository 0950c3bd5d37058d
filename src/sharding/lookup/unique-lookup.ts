import { setTimeout as pause } from 'node:timers/promises';
import type { EntityManager } from 'typeorm';
import { GatewayContext } from '../../common/gateway-context.js';
import type { Router } from '../routing/router.js';
import { decideAboutEntry } from './claim-decision.js';
import { ClaimOutcomes } from './claim-outcomes.js';
import { ClaimSweep, type SweepOptions, type SweepReport } from './claim-sweep.js';
import { CreationAttempt } from './creation-attempt.js';
import { LookBudget, stillInTheWorks } from './look-budget.js';
import type { LookupAccess, LookupReadOptions } from './lookup-access.js';
import { LookupEntries, type EntryOwner, type LookupKey } from './lookup-entries.js';
import { LookupSteps, type LookupStepListener } from './lookup-steps.js';

const GRACE_MS = 2_000;
const DEADLINE_MS = 10_000;

/** How often one creation begins anew with another row id because its claim was lost. */
const ROW_IDS_MAX = 5;

/** How long one wait for an owner in the middle of its transaction may hold a connection. */
const ABANDON_WAIT_MS_MAX = 1_000;

/** How patient the lookup is. */
export interface UniqueLookupOptions {
  /** Age before which somebody else's claim is waited for instead of settled. Politeness only. Default 2,000. */
  readonly graceMs?: number;
  /** How long a creation may wait for others of the same value, its own time to write not counted. Default 10,000. */
  readonly deadlineMs?: number;
  /** A clock in milliseconds, for the deadline only. Default: `performance.now`. */
  readonly now?: () => number;
  /** Hears of each step of the protocol, so that tests can place faults. */
  readonly onStep?: LookupStepListener;
}

/** One row that is to be made, and the value that must be its alone. */
export interface UniqueCreation<T> {
  /** Name of the lookup index, such as `account_number`. */
  readonly index: string;
  readonly value: string;
  /** Whose row it is going to be. */
  readonly userId: string;
  /** A fresh id of this user's bucket. Called once per attempt. */
  readonly mintRowId: () => string;
  /** What to throw when the value belongs to another row. */
  readonly taken: () => Error;
  /**
   * Makes the row, in one transaction on its home shard, and awaits `recordOutcome` inside it; resolves or
   * rejects when that transaction has ended, and runs it once. Without a call of `recordOutcome` it must not
   * make the row (an answer that is replayed, for example): the value is given back then.
   *
   * Recording before the row is inserted is best: a claim that was lost then shows as such, and not as a
   * violation of a unique key that the row's own table may have.
   */
  readonly create: (rowId: string, recordOutcome: (manager: EntityManager) => Promise<void>) => Promise<T>;
}

/** Names a value of a lookup index. */
export interface LookupValue {
  readonly index: string;
  readonly value: string;
}

/**
 * Keeps values unique within a tenant across its shards. A value's entry lives on the shard of the value's
 * hash, its row on the shard of the row's user; claim → create → confirm holds the two together without a
 * transaction over both. Whatever crashes in between: of several creations of one value at most one makes
 * its row, and the value is free again or belongs to a whole row. `docs/unique-lookup.md` has the argument.
 */
export class UniqueLookup {
  readonly #router: Router;
  readonly #entries: LookupEntries;
  readonly #outcomes: ClaimOutcomes;
  readonly #sweep: ClaimSweep;
  readonly #steps: LookupSteps;
  readonly #graceMs: number;
  readonly #deadlineMs: number;
  readonly #now: () => number;

  constructor(access: LookupAccess, router: Router, options: UniqueLookupOptions = {}) {
    const { graceMs = GRACE_MS, deadlineMs = DEADLINE_MS, now = () => performance.now() } = options;
    this.#router = router;
    this.#steps = new LookupSteps(options.onStep);
    this.#entries = new LookupEntries(access, this.#steps);
    this.#outcomes = new ClaimOutcomes(access, router, this.#steps);
    this.#sweep = new ClaimSweep(this.#entries, this.#outcomes, router);
    this.#graceMs = graceMs;
    this.#deadlineMs = deadlineMs;
    this.#now = now;
  }

  /**
   * The whole protocol around one creation, in the tenant of the current scope.
   *
   * @returns what `create` answered; the row exists then, also when its claim could not be confirmed yet
   * @throws what `taken` makes, when the value belongs to another row
   * @throws GatewayError `overloaded` when other creations of the value do not come to an end in time
   * @throws ShardUnavailableError when the entry's shard is away, or the home shard of another's claim
   * @throws whatever `create` throws
   */
  async createUnique<T>(creation: UniqueCreation<T>): Promise<T> {
    const { tenantId } = GatewayContext.require();
    const key = this.#keyOf(tenantId, creation);
    const lostRowIds = new Set<string>();
    while (lostRowIds.size < ROW_IDS_MAX) {
      const owner: EntryOwner = { rowId: creation.mintRowId(), userId: creation.userId };
      await this.#claim(key, owner, lostRowIds, creation.taken);
      const attempt = new CreationAttempt((manager) =>
        this.#outcomes.recordCreated(manager, tenantId, owner),
      );
      const end = await this.#steps.around('create', () =>
        attempt.run((recordOutcome) => creation.create(owner.rowId, recordOutcome)),
      );
      switch (end.kind) {
        case 'created':
          await unlessAway(this.#entries.confirm(key, owner));
          return end.answer;
        case 'nothing-made':
          await unlessAway(this.#entries.release(key, owner));
          return end.answer;
        case 'refused':
          await unlessAway(this.#entries.release(key, owner));
          throw end.error;
        case 'unknown':
          throw end.error;
        case 'claim-lost':
          lostRowIds.add(owner.rowId);
      }
    }
    throw stillInTheWorks();
  }

  /**
   * The row that a value belongs to, in the tenant of the current scope. A value is found only when its row
   * has been committed; a replica that is asked for the row may still lag behind that.
   *
   * @throws ShardUnavailableError when the entry's shard is away; while the claim is not confirmed, also
   *   when the row's is
   */
  async find(named: LookupValue, options: LookupReadOptions = {}): Promise<EntryOwner | undefined> {
    const { tenantId } = GatewayContext.require();
    const entry = await this.#entries.read(this.#keyOf(tenantId, named), options);
    if (entry === undefined) return undefined;
    const exists = entry.state === 'confirmed' || (await this.#outcomes.wasCreated(tenantId, entry, options));
    return exists ? { rowId: entry.rowId, userId: entry.userId } : undefined;
  }

  /**
   * Settles claims of the current scope's tenant that nobody came back to: confirms those whose row exists,
   * frees the values of the others. Safe beside creations and other sweeps.
   */
  sweep(options: SweepOptions): Promise<SweepReport> {
    return this.#sweep.run(GatewayContext.require().tenantId, options);
  }

  /** Resolves when the value is claimed for `owner`. */
  async #claim(
    key: LookupKey,
    owner: EntryOwner,
    lostRowIds: ReadonlySet<string>,
    taken: () => Error,
  ): Promise<void> {
    if (await this.#entries.claim(key, owner)) return;
    const budget = new LookBudget(this.#deadlineMs, this.#now);
    for (;;) {
      budget.spendLook();
      const entry = await this.#entries.read(key, { from: 'primary' });
      if (entry === undefined) {
        if (await this.#entries.claim(key, owner)) return;
        continue;
      }
      const decision = decideAboutEntry(entry, this.#graceMs, lostRowIds);
      if (decision.kind === 'taken') throw taken();
      if (decision.kind === 'wait') {
        await pause(budget.nextPauseMs(decision.atMostMs));
        continue;
      }
      const waitMs = Math.min(budget.remainingMs, ABANDON_WAIT_MS_MAX);
      const fate = await this.#outcomes.abandon(key.tenantId, entry, waitMs);
      if (fate === 'created') {
        await unlessAway(this.#entries.confirm(key, entry));
        throw taken();
      }
      if (fate === 'abandoned' && (await this.#entries.takeOver(key, entry.rowId, owner))) return;
    }
  }

  #keyOf(tenantId: string, { index, value }: LookupValue): LookupKey {
    const { shardId, bucket } = this.#router.forValue({ tenantId, index, value });
    return { tenantId, index, value, shardId, bucket };
  }
}

/**
 * Awaits a change of an entry whose truth is decided already: when it fails, whoever finds the claim next
 * settles it, and the creation's own answer must not be lost over it.
 */
async function unlessAway(change: Promise<void>): Promise<void> {
  await change.catch(() => undefined);
}
