import { ShardUnavailableError } from '../../common/gateway-error.js';
import type { Router } from '../routing/router.js';
import type { ClaimOutcomes } from './claim-outcomes.js';
import type { LookupEntries, StaleClaim } from './lookup-entries.js';

/** An owner that is just committing is not waited for: the next sweep finds its claim settled. */
const WAIT_MS = 100;

/** Which claims a sweep settles. */
export interface SweepOptions {
  /** The least age of a claim, by the clock of the shard that keeps it; 0 is safe, and disturbs creations under way. */
  readonly olderThanMs: number;
  /** How many claims to settle on each shard at most, oldest first. */
  readonly limit: number;
}

/** What a sweep found and did. */
export interface SweepReport {
  /** Claims whose row exists; they are confirmed now. */
  readonly confirmed: number;
  /** Claims that came to nothing; their values are free again. */
  readonly released: number;
  /** Claims that could not be settled yet: their row's home shard is away, or its transaction still open. */
  readonly unsettled: number;
  /** Shards whose claims could not be looked at. */
  readonly missingShards: readonly string[];
}

type Settlement = Exclude<keyof SweepReport, 'missingShards'>;

/** Settles claims that nobody came back to. */
export class ClaimSweep {
  readonly #entries: LookupEntries;
  readonly #outcomes: ClaimOutcomes;
  readonly #router: Router;

  constructor(entries: LookupEntries, outcomes: ClaimOutcomes, router: Router) {
    this.#entries = entries;
    this.#outcomes = outcomes;
    this.#router = router;
  }

  /** Settles one tenant's claims on every shard; a shard that is away is named, and fails nothing. */
  async run(tenantId: string, options: SweepOptions): Promise<SweepReport> {
    const counts: Record<Settlement, number> = { confirmed: 0, released: 0, unsettled: 0 };
    const missingShards: string[] = [];
    for (const shardId of this.#router.all({ tenantId }).shardIds) {
      const claims = await this.#staleClaims(shardId, tenantId, options);
      if (claims === undefined) missingShards.push(shardId);
      for (const claim of claims ?? []) counts[await this.#settle(tenantId, claim)] += 1;
    }
    return { ...counts, missingShards };
  }

  async #staleClaims(
    shardId: string,
    tenantId: string,
    { olderThanMs, limit }: SweepOptions,
  ): Promise<StaleClaim[] | undefined> {
    try {
      return await this.#entries.stale(shardId, tenantId, olderThanMs, limit);
    } catch (error) {
      if (error instanceof ShardUnavailableError) return undefined;
      throw error;
    }
  }

  async #settle(tenantId: string, claim: StaleClaim): Promise<Settlement> {
    const { index, value } = claim;
    const { shardId, bucket } = this.#router.forValue({ tenantId, index, value });
    const key = { tenantId, index, value, shardId, bucket };
    try {
      const fate = await this.#outcomes.abandon(tenantId, claim, WAIT_MS);
      if (fate === 'undecided') return 'unsettled';
      if (fate === 'created') await this.#entries.confirm(key, claim);
      else await this.#entries.release(key, claim);
      return fate === 'created' ? 'confirmed' : 'released';
    } catch (error) {
      if (error instanceof ShardUnavailableError) return 'unsettled';
      throw error;
    }
  }
}
