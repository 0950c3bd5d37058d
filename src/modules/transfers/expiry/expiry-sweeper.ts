import { Inject, Injectable, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { LessThanOrEqual } from 'typeorm';
import { GatewayContext } from '../../../common/gateway-context.js';
import { GatewayError } from '../../../common/gateway-error.js';
import type { Log } from '../../../common/log.js';
import { DataGateway } from '../../../gateway/data-gateway.js';
import { GatewayRuntime } from '../../../gateway/gateway-runtime.js';
import { SERVICE_SETTINGS, type ServiceSettings } from '../../service-settings.js';
import { TenantDirectory } from '../../tenants/tenant-directory.js';
import { TransferLanes } from '../lanes/transfer-lanes.js';
import { Transfer } from '../transfer.js';
import { DueTransfers } from './due-transfers.js';

/** How often it is looked at what this process knows to be over. */
const PAUSE_MS = 500;
/** How often every tenant is looked at, for what others held. */
const ROUND_MS = 30_000;
/** Transfers of one tenant that are expired at once. */
const EXPIRED_MAX = 500;
/** After how long a tenant is looked at again of which there was more, or which could not be looked at. */
const AGAIN_S = 1;
const ACTOR = 'shardgate:expiry-sweeper';

/**
 * Releases, in the background, what pending transfers hold whose time is over. Each goes through the lanes like any
 * other request, and it is decided there, by the database's clock, whether it is over.
 */
@Injectable()
export class ExpirySweeper implements OnApplicationBootstrap, OnApplicationShutdown {
  readonly #gateway: DataGateway;
  readonly #runtime: GatewayRuntime;
  readonly #tenants: TenantDirectory;
  readonly #lanes: TransferLanes;
  readonly #due: DueTransfers;
  readonly #log: Log;
  #next: NodeJS.Timeout | undefined;
  #nextRoundAt = 0;
  #sweeping: Promise<void> = Promise.resolve();
  #isStopped = false;

  constructor(
    gateway: DataGateway,
    runtime: GatewayRuntime,
    tenants: TenantDirectory,
    lanes: TransferLanes,
    due: DueTransfers,
    @Inject(SERVICE_SETTINGS) { log }: ServiceSettings,
  ) {
    this.#gateway = gateway;
    this.#runtime = runtime;
    this.#tenants = tenants;
    this.#lanes = lanes;
    this.#due = due;
    this.#log = log;
  }

  onApplicationBootstrap(): void {
    this.#plan();
  }

  /** Waits for the tenant that is being swept. */
  async onApplicationShutdown(): Promise<void> {
    this.#isStopped = true;
    clearTimeout(this.#next);
    await this.#sweeping;
  }

  #plan(): void {
    if (this.#isStopped) return;
    this.#next = setTimeout(() => {
      this.#sweeping = this.#sweepDue().finally(() => {
        this.#plan();
      });
    }, PAUSE_MS);
    this.#next.unref();
  }

  async #sweepDue(): Promise<void> {
    const due = new Set(this.#due.takeDue());
    const now = performance.now();
    const isRound = now >= this.#nextRoundAt;
    if (isRound) this.#nextRoundAt = now + ROUND_MS;
    for (const { id: tenantId, status } of this.#tenants.list()) {
      if (this.#isStopped) return;
      if (status === 'active' && (isRound || due.has(tenantId))) await this.#sweep(tenantId);
    }
  }

  /** One tenant's failure is not the next one's. */
  async #sweep(tenantId: string): Promise<void> {
    try {
      const found = await GatewayContext.run({ tenantId, actor: ACTOR }, () => this.#expireAll(tenantId));
      if (found > 0) this.#log.debug({ tenantId, transfers: found }, 'pending transfers were over');
      if (found === EXPIRED_MAX) this.#due.note(tenantId, AGAIN_S);
    } catch (error) {
      const code = error instanceof GatewayError ? error.code : 'internal_error';
      this.#log.warn({ tenantId, code }, 'pending transfers could not be expired; they are tried again');
      this.#due.note(tenantId, AGAIN_S);
    }
  }

  /** @returns how many were found to be over */
  async #expireAll(tenantId: string): Promise<number> {
    const over = await this.#gateway.list(Transfer).find({
      where: { status: 'PENDING', expiresAt: LessThanOrEqual(new Date()) },
      order: { expiresAt: 'ASC' },
      take: EXPIRED_MAX,
      partial: true,
      cache: false,
    });
    await Promise.all(
      over.map(({ id, bucket: homeBucket }) => {
        const { shardId: homeShardId } = this.#runtime.router.forBucket({ tenantId, bucket: homeBucket });
        return this.#lanes.submit({
          kind: 'expire',
          transferId: id,
          homeShardId,
          homeBucket,
          userId: undefined,
          actor: ACTOR,
          idempotency: undefined,
          subMinorUnits: false,
        });
      }),
    );
    return over.length;
  }
}
