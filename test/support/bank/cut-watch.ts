import { setTimeout as sleep } from 'node:timers/promises';
import { SILENT_LOG } from '../../../src/common/log.js';
import { resolveGatewayOptions } from '../../../src/gateway/gateway-options.js';
import { GatewayRuntime } from '../../../src/gateway/gateway-runtime.js';
import { GatewayContext, GatewayError } from '../../../src/index.js';
import { SERVICE_SCHEMA } from '../../../src/service-schema.js';
import { sumOf } from './amounts.js';
import type { BankSite } from './bank-site.js';

/** How long the bank goes on between two cuts, ms. */
const PAUSE_MS = 20;
/** Recovery is for the bank's processes. */
const NEVER_MS = 3_600_000;

const SUMS_SQL = `
  SELECT sum(balance)::text AS "all", (sum(balance) FILTER (WHERE kind = 'USER'))::text AS users
  FROM finance.accounts`;

/** What is in all accounts together, the settlement accounts among them, and in those of users. */
interface Sums {
  readonly all: string | null;
  readonly users: string | null;
}

/** Looks at a bank's money through consistent cuts, again and again, from a process of its own. */
export class CutWatch {
  /** What was seen, and how often: of a sound bank one line. */
  readonly seen = new Map<string, number>();
  /** How often there was no cut to be had, because a server was away or something in doubt. */
  refused = 0;
  readonly #runtime: GatewayRuntime;
  readonly #tenantId: string;

  private constructor(runtime: GatewayRuntime, tenantId: string) {
    this.#runtime = runtime;
    this.#tenantId = tenantId;
  }

  static async start({ cluster: { config }, tenantId }: BankSite): Promise<CutWatch> {
    const options = resolveGatewayOptions({
      catalog: config.catalog,
      shards: config.shards,
      cache: false,
      ...SERVICE_SCHEMA,
    });
    const transactions = { recovery: { everyMs: NEVER_MS } };
    return new CutWatch(await GatewayRuntime.start(options, { log: SILENT_LOG, transactions }), tenantId);
  }

  /** How many cuts were made. */
  get cuts(): number {
    return [...this.seen.values()].reduce((sum, count) => sum + count, 0);
  }

  /** Goes on until then. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.look();
      await sleep(PAUSE_MS);
    }
  }

  /** Makes one cut. @returns whether it could be made */
  async look(): Promise<boolean> {
    try {
      const rows = await GatewayContext.run({ tenantId: this.#tenantId, actor: 'auditor' }, () =>
        this.#runtime.gateway.snapshot((reader) => reader.query<Sums & Record<string, unknown>>(SUMS_SQL)),
      );
      const line = `all ${sumOf(rows.map(({ all }) => all))}, users ${sumOf(rows.map(({ users }) => users))}`;
      this.seen.set(line, (this.seen.get(line) ?? 0) + 1);
      return true;
    } catch (error) {
      if (!(error instanceof GatewayError) || error.code !== 'shard_unavailable') throw error;
      this.refused += 1;
      return false;
    }
  }

  close(): Promise<void> {
    return this.#runtime.close();
  }
}

/** What {@link CutWatch} sees of a bank whose users have as much in all. */
export function soundCut(users: string): string {
  return `all 0.0000, users ${users}`;
}
