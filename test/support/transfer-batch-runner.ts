import { GatewayContext } from '../../src/index.js';
import type { PrimaryWrites } from '../../src/gateway/primary-writes.js';
import type { LockMode } from '../../src/modules/transfers/batches/batch-reads.js';
import { placeOf } from '../../src/modules/transfers/batches/batch-place.js';
import { TransferBatches } from '../../src/modules/transfers/batches/transfer-batches.js';
import type { LaneAnswer } from '../../src/modules/transfers/batches/transfer-job.js';
import type { TransferCommand } from '../../src/modules/transfers/decisions/transfer-command.js';
import { IdMint } from '../../src/sharding/topology/id-mint.js';

/** What became of the requests of one batch, each at its place. */
interface BatchOutcome {
  /** `done`, `refused`, `elsewhere`, or the name of an error; nothing for those that are given back. */
  readonly told: string[];
  /** The ids of the transfers that were done. */
  readonly ids: string[];
  /** How many were given back. */
  readonly left: number;
}

/** Runs batches of one tenant's transfers, without lanes: a test says what is in them. */
export class TransferBatchRunner {
  readonly #batches: TransferBatches;
  readonly #tenantId: string;

  constructor(primaries: PrimaryWrites, tenantId: string, shardOf: (accountId: string) => string) {
    const ids = new IdMint();
    this.#tenantId = tenantId;
    this.#batches = new TransferBatches(
      primaries,
      (bucket) => ids.mint(bucket),
      (_, accountId) => shardOf(accountId),
    );
  }

  /** @param shardIds where its accounts are */
  async run(
    shardIds: readonly string[],
    commands: readonly TransferCommand[],
    mode: LockMode = 'wait',
  ): Promise<BatchOutcome> {
    const told: string[] = [];
    const ids: string[] = [];
    const jobs = commands.map((command, place) => {
      const scope = { tenantId: this.#tenantId, actor: command.actor };
      return {
        ...GatewayContext.run(scope, () => GatewayContext.active()),
        deadlineMs: Number.POSITIVE_INFINITY,
        command,
        resolve: (answer: LaneAnswer) => {
          const outcome = answer.kind === 'answered' ? answer.answer.outcome : answer;
          told[place] = outcome.kind;
          if (outcome.kind === 'done') ids[place] = outcome.body.id;
        },
        reject: (error: unknown) => {
          told[place] = (error as Error).name;
        },
      };
    });
    const left = await this.#batches.run(placeOf(this.#tenantId, shardIds), jobs, mode);
    return { told, ids, left: left.length };
  }
}
