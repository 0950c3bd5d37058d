import pLimit from 'p-limit';
import { GatewayError, ShardUnavailableError } from '../../common/gateway-error.js';
import { settledWithin } from '../../common/settled-within.js';
import type { Log } from '../../common/log.js';
import { findDrift } from './drift.js';
import { inspectShard, type ShardInspection } from './inspect-shard.js';
import type { MigrationOptions, MigrationPlan, MigrationTarget } from './migration-plan.js';
import { migrateShards } from './migrator.js';

/** One shard, as the gate reaches it. */
export interface GatedShard {
  readonly shardId: string;
  /** The gateway's own login. */
  readonly url: string;
  readonly gatewayRole: string;
  /** Present when pending migrations are to be applied. */
  readonly adminUrl?: string | undefined;
}

const RETRY_MS_MIN = 500;
const RETRY_MS_MAX = 5_000;

/** Shards that are migrated and read at once at the start. */
const CONCURRENCY = 16;

/** How long the shards that are ready wait for the others, to be judged with them. */
const TOGETHER_MS = 5_000;

/** With fewer shards there is no majority to say whose schema is the odd one. */
const SHARDS_MIN_TO_JUDGE_DRIFT = 3;

/**
 * Lets a shard be served only when its schema is what this release expects. A shard that is away, or not
 * ready yet, is looked at again until it is: neither its return nor a repair needs a restart.
 */
export class SchemaGate {
  readonly #shards: readonly GatedShard[];
  readonly #plan: MigrationPlan;
  readonly #options: MigrationOptions;
  readonly #beforeServing: (shardId: string) => Promise<void>;
  readonly #log: Log;
  readonly #closedBecause = new Map<string, string>();
  readonly #lines = new Map<string, readonly string[]>();
  readonly #retries = new Map<string, NodeJS.Timeout>();
  #stopped = false;

  /** @param beforeServing is awaited when a shard was found ready, before it is opened; it may be asked again */
  constructor(
    shards: readonly GatedShard[],
    plan: MigrationPlan,
    options: MigrationOptions,
    beforeServing: (shardId: string) => Promise<void>,
    log: Log,
  ) {
    this.#beforeServing = beforeServing;
    this.#shards = shards;
    this.#plan = plan;
    this.#options = options;
    this.#log = log;
    for (const { shardId } of shards)
      this.#closedBecause.set(shardId, 'its schema has not been checked yet.');
  }

  /**
   * Migrates and checks every shard once; those that are not ready are tried again in the background. They
   * are judged together, but one that hangs holds the others up for a bounded time only: then each is opened
   * as it is found ready.
   */
  async start(): Promise<void> {
    const limit = pLimit(CONCURRENCY);
    const checked = new Map<GatedShard, string | undefined>();
    let areJudgedTogether = true;
    const check = async (shard: GatedShard): Promise<void> => {
      const reason = await this.#reasonToClose(shard);
      if (areJudgedTogether) checked.set(shard, reason);
      else this.#settle(shard, reason, RETRY_MS_MIN);
    };
    const checks = Promise.all(this.#shards.map((shard) => limit(() => check(shard))));
    await settledWithin(checks, TOGETHER_MS);
    areJudgedTogether = false;
    this.#reportDrift();
    for (const [shard, reason] of checked) this.#settle(shard, reason, RETRY_MS_MIN);
    await checks;
  }

  /** Ends the retries. */
  stop(): void {
    this.#stopped = true;
    for (const retry of this.#retries.values()) clearTimeout(retry);
  }

  /** Why a shard is not served; undefined when it is. */
  closedBecause(shardId: string): string | undefined {
    return this.#closedBecause.get(shardId);
  }

  /** @throws ShardUnavailableError for a shard that must not be served */
  assertServed(shardId: string): void {
    const reason = this.#closedBecause.get(shardId);
    if (reason !== undefined) throw new ShardUnavailableError(shardId, reason);
  }

  /** Opens a shard, or closes it and looks again later. Drift is judged now that all others were read. */
  #settle(shard: GatedShard, fault: string | undefined, retryMs: number): void {
    if (this.#stopped) return;
    const { shardId } = shard;
    const reason = fault ?? this.#driftOf(shardId);
    if (reason === undefined) {
      this.#closedBecause.delete(shardId);
      this.#log.info({ shard: shardId }, 'shard is served');
      return;
    }
    this.#closedBecause.set(shardId, reason);
    this.#log.warn({ shard: shardId, reason }, 'shard is not served');
    const retry = setTimeout(() => {
      void this.#reasonToClose(shard).then((again) => {
        this.#settle(shard, again, Math.min(retryMs * 2, RETRY_MS_MAX));
      });
    }, retryMs);
    retry.unref();
    this.#retries.set(shardId, retry);
  }

  async #reasonToClose(shard: GatedShard): Promise<string | undefined> {
    try {
      if (shard.adminUrl !== undefined) {
        const target: MigrationTarget = { ...shard, adminUrl: shard.adminUrl };
        const [report] = await migrateShards([target], this.#plan, this.#options);
        if (report?.error !== undefined) return report.error.message;
      }
      const inspection = await inspectShard(shard, this.#plan);
      this.#lines.set(shard.shardId, inspection.lines);
      const fault = faultOf(inspection, this.#plan.installationId, shard.shardId);
      if (fault === undefined) await this.#beforeServing(shard.shardId);
      return fault;
    } catch (error) {
      return error instanceof GatewayError ? error.message : 'its schema could not be checked.';
    }
  }

  /** Why a shard's schema is the odd one, when there is a clear majority of others. */
  #driftOf(shardId: string): string | undefined {
    if (this.#lines.size < SHARDS_MIN_TO_JUDGE_DRIFT) return undefined;
    const drifted = findDrift(this.#lines);
    // Where half or more differ, nobody can say who is right, and closing them all would help nobody.
    if (drifted.length * 2 >= this.#lines.size) return undefined;
    return drifted.some((drift) => drift.shardId === shardId)
      ? 'its schema differs from the other shards; run shardgate doctor.'
      : undefined;
  }

  #reportDrift(): void {
    for (const { shardId, missing, unexpected } of findDrift(this.#lines)) {
      const differences = missing.length + unexpected.length;
      this.#log.error({ shard: shardId, differences }, 'schema differs from the other shards; run doctor');
    }
  }
}

function faultOf(
  { installation, pending, unprotected }: ShardInspection,
  installationId: string,
  shardId: string,
): string | undefined {
  if (installation === undefined || pending.length > 0) {
    return `${pending.length} migrations are pending; run shardgate migrate.`;
  }
  if (installation.installationId !== installationId || installation.shardId !== shardId) {
    return `its database is ${installation.shardId} of another installation or shard; correct its url.`;
  }
  return unprotected.length === 0
    ? undefined
    : `row-level security is not in force on ${unprotected.join(', ')}; run shardgate migrate.`;
}
