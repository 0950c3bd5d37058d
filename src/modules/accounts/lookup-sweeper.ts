import { Inject, Injectable, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { GatewayContext } from '../../common/gateway-context.js';
import { GatewayError } from '../../common/gateway-error.js';
import type { Log } from '../../common/log.js';
import { UniqueLookup } from '../../sharding/lookup/unique-lookup.js';
import { SERVICE_SETTINGS, type ServiceSettings } from '../service-settings.js';
import { TenantDirectory } from '../tenants/tenant-directory.js';

const PAUSE_MS = 30_000;
/** Older than any creation under way: settling those would only make them begin anew. */
const CLAIM_AGE_MS = 60_000;
/** Claims of one tenant on one shard that one round settles. */
const CLAIMS_MAX = 100;
const ACTOR = 'shardgate:lookup-sweeper';

/** Settles, in the background, claims of account numbers whose owners died between claim and confirmation. */
@Injectable()
export class LookupSweeper implements OnApplicationBootstrap, OnApplicationShutdown {
  readonly #lookup: UniqueLookup;
  readonly #tenants: TenantDirectory;
  readonly #log: Log;
  #next: NodeJS.Timeout | undefined;
  #round: Promise<void> = Promise.resolve();
  #stopped = false;

  constructor(
    lookup: UniqueLookup,
    tenants: TenantDirectory,
    @Inject(SERVICE_SETTINGS) { log }: ServiceSettings,
  ) {
    this.#log = log;
    this.#lookup = lookup;
    this.#tenants = tenants;
  }

  onApplicationBootstrap(): void {
    this.#planRound();
  }

  /** Waits for the tenant that is being swept. */
  async onApplicationShutdown(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#next);
    await this.#round;
  }

  #planRound(): void {
    if (this.#stopped) return;
    this.#next = setTimeout(() => {
      this.#round = this.#sweepAll().finally(() => {
        this.#planRound();
      });
    }, PAUSE_MS);
    this.#next.unref();
  }

  async #sweepAll(): Promise<void> {
    for (const { id: tenantId, status } of this.#tenants.list()) {
      if (this.#stopped) return;
      if (status === 'active') await this.#sweep(tenantId);
    }
  }

  /** One tenant's failure is not the next one's. */
  async #sweep(tenantId: string): Promise<void> {
    try {
      const { confirmed, released, unsettled } = await GatewayContext.run({ tenantId, actor: ACTOR }, () =>
        this.#lookup.sweep({ olderThanMs: CLAIM_AGE_MS, limit: CLAIMS_MAX }),
      );
      if (confirmed + released + unsettled > 0) {
        this.#log.info(
          { tenantId, confirmed, released, unsettled },
          'stale claims of account numbers were looked at',
        );
      }
    } catch (error) {
      const code = error instanceof GatewayError ? error.code : 'internal_error';
      this.#log.warn({ tenantId, code }, 'stale claims could not be settled; they are tried again');
    }
  }
}
