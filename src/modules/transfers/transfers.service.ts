import { Injectable } from '@nestjs/common';
import type { Decimal } from 'decimal.js';
import { GatewayContext } from '../../common/gateway-context.js';
import { GatewayError, NotFoundError, ValidationError, type FieldFault } from '../../common/gateway-error.js';
import { DataGateway } from '../../gateway/data-gateway.js';
import { GatewayRuntime } from '../../gateway/gateway-runtime.js';
import { isGatewayId } from '../../sharding/topology/gateway-id.js';
import { accountNotFound } from '../accounts/visible-account.js';
import type { Answer } from '../idempotency/decided-outcome.js';
import type { IdempotencyKey } from '../idempotency/idempotency-keys.js';
import { parseAmount } from '../money/amount.js';
import { TenantDirectory } from '../tenants/tenant-directory.js';
import type { TransferCommand } from './decisions/transfer-command.js';
import { DueTransfers } from './expiry/due-transfers.js';
import { HOLD_SECONDS_DEFAULT, HOLD_SECONDS_MAX } from './hold-seconds.js';
import { TransferLanes } from './lanes/transfer-lanes.js';
import { Transfer } from './transfer.js';
import { transferViewOf, type TransferView } from './transfer-view.js';

/** What a client says of a transfer. */
export interface TransferRequest {
  readonly fromAccountId: string;
  readonly toAccountId: string;
  /** Decimal string above zero. */
  readonly amount: string;
  readonly reference?: string | null | undefined;
  /** Whether the amount is only held, to be posted or voided later. */
  readonly pending?: boolean | undefined;
  /** After how long a pending transfer expires: 1 to 2,592,000 s, a day by default. */
  readonly timeoutSeconds?: number | undefined;
}

/** One of many transfers that are asked for together. */
export interface KeyedTransferRequest {
  readonly request: TransferRequest;
  readonly idempotency?: IdempotencyKey | undefined;
}

/** What came of one of many: its answer, or the error with which it failed. */
export type TransferOutcome = { readonly answer: Answer<TransferView> } | { readonly error: unknown };

const AMOUNT_FAULT = 'must be a decimal above zero of at most 16 integer and 4 fraction digits';

/** Moves money between accounts of the tenant in scope; with a user in scope, out of that user's accounts alone. */
@Injectable()
export class TransfersService {
  readonly #gateway: DataGateway;
  readonly #runtime: GatewayRuntime;
  readonly #tenants: TenantDirectory;
  readonly #lanes: TransferLanes;
  readonly #due: DueTransfers;

  constructor(
    gateway: DataGateway,
    runtime: GatewayRuntime,
    tenants: TenantDirectory,
    lanes: TransferLanes,
    due: DueTransfers,
  ) {
    this.#gateway = gateway;
    this.#runtime = runtime;
    this.#tenants = tenants;
    this.#lanes = lanes;
    this.#due = due;
  }

  /**
   * Moves an amount from one account to another, or holds it.
   *
   * @param idempotency makes it happen once, and be answered the same way again
   * @returns the transfer, or a refusal: `not_found`, `account_frozen`, `account_closed`, `currency_mismatch`,
   *   `same_account`, `insufficient_funds`, `amount_out_of_range`
   * @throws ValidationError when the request is malformed, or the currency has no such amount
   * @throws GatewayError `idempotency_key_reused`, `overloaded`, `two_phase_unavailable`
   * @throws ShardUnavailableError whether it was done is unknown then: with its key, ask again
   */
  async transfer(request: TransferRequest, idempotency?: IdempotencyKey): Promise<Answer<TransferView>> {
    const { fromAccountId, toAccountId, reference = null } = request;
    const holdSeconds = holdSecondsOf(request);
    const from = fromAccountId.toLowerCase();
    const to = toAccountId.toLowerCase();
    const command: TransferCommand = {
      ...this.#asked(from, accountNotFound, idempotency),
      kind: 'transfer',
      fromAccountId: from,
      toAccountId: to,
      amount: positiveAmount(request.amount),
      reference,
      holdSeconds,
    };
    const { homeShardId } = command;
    // Where the payer's own shard does not have the account, there is nothing to be found elsewhere either.
    const otherShardId = this.#shardOf(from) === homeShardId ? this.#shardOf(to) : undefined;
    const answer = await this.#decide(command, otherShardId);
    if (holdSeconds !== undefined) this.#due.note(GatewayContext.require().tenantId, holdSeconds);
    return answer;
  }

  /** Many transfers, each by itself. @returns one outcome per transfer, in order; never rejects */
  transferMany(transfers: readonly KeyedTransferRequest[]): Promise<TransferOutcome[]> {
    return Promise.all(
      transfers.map(async ({ request, idempotency }): Promise<TransferOutcome> => {
        try {
          return { answer: await this.transfer(request, idempotency) };
        } catch (error) {
          return { error };
        }
      }),
    );
  }

  /**
   * Moves what a pending transfer holds; less than that releases the rest.
   *
   * @returns the transfer, or a refusal: `not_found`, `transfer_not_pending`, `account_frozen`, `account_closed`,
   *   `amount_exceeds_pending`, `amount_out_of_range`
   * @throws as {@link transfer}
   */
  post(
    transferId: string,
    { amount }: { readonly amount?: string | undefined } = {},
    idempotency?: IdempotencyKey,
  ): Promise<Answer<TransferView>> {
    const id = transferId.toLowerCase();
    const posted = amount === undefined ? null : positiveAmount(amount);
    const asked = this.#asked(id, transferNotFound, idempotency);
    return this.#decide({ ...asked, kind: 'post', transferId: id, amount: posted });
  }

  /** Releases what a pending transfer holds. @returns the transfer, or a refusal: `not_found`, `transfer_not_pending` */
  void(transferId: string, idempotency?: IdempotencyKey): Promise<Answer<TransferView>> {
    const id = transferId.toLowerCase();
    return this.#decide({
      ...this.#asked(id, transferNotFound, idempotency),
      kind: 'void',
      transferId: id,
    });
  }

  /** One transfer. @throws NotFoundError also for one that another user pays */
  async get(id: string): Promise<TransferView> {
    const transfer = isGatewayId(id) ? await this.#gateway.repository(Transfer).findById(id) : null;
    const { userId } = GatewayContext.require();
    if (transfer === null || (userId !== undefined && userId !== transfer.userId)) throw transferNotFound();
    return transferViewOf(transfer);
  }

  /** On the shards that are known to be needed; where it turns out that an account is elsewhere, there as well. */
  async #decide(command: TransferCommand, otherShardId?: string): Promise<Answer<TransferView>> {
    const decided = await this.#lanes.submit(command, otherShardId);
    if (decided.kind === 'answered') return decided.answer;
    const neededShardId = this.#shardOf(decided.accountId);
    if (neededShardId === undefined || otherShardId !== undefined) {
      throw new GatewayError(
        'internal_error',
        'An account of the transfer is on no shard that it was looked for.',
      );
    }
    // Only its home shard knows which account a pending transfer pays.
    const told = command.kind === 'post' ? { ...command, toAccountId: decided.accountId } : command;
    return this.#decide(told, neededShardId);
  }

  /** With a user in scope the request goes to that user's shard, where what is somebody else's is not found. */
  #asked(sourceId: string, notFound: () => Error, idempotency: IdempotencyKey | undefined) {
    const { tenantId, userId, actor } = GatewayContext.require();
    const { router } = this.#runtime;
    if (userId === undefined && !isGatewayId(sourceId)) throw notFound();
    const { shardId: homeShardId, bucket: homeBucket } =
      userId === undefined ? router.forId({ tenantId, id: sourceId }) : router.forUser({ tenantId, userId });
    const subMinorUnits = this.#tenants.tenant(tenantId)?.subMinorUnits ?? false;
    return { homeShardId, homeBucket, userId, actor, idempotency, subMinorUnits };
  }

  /** Undefined for what no gateway gave out: it is on no shard. */
  #shardOf(accountId: string): string | undefined {
    if (!isGatewayId(accountId)) return undefined;
    const { tenantId } = GatewayContext.require();
    return this.#runtime.router.forId({ tenantId, id: accountId }).shardId;
  }
}

function transferNotFound(): NotFoundError {
  return new NotFoundError('The transfer');
}

function positiveAmount(text: string): Decimal {
  const amount = parseAmount(text);
  if (amount?.greaterThan(0) === true) return amount;
  throw new ValidationError([{ path: 'amount', message: AMOUNT_FAULT }]);
}

/** Undefined when the amount is moved at once. */
function holdSecondsOf({ pending = false, timeoutSeconds }: TransferRequest): number | undefined {
  const faults: FieldFault[] = [];
  if (timeoutSeconds !== undefined) {
    if (!pending) faults.push({ path: 'timeoutSeconds', message: 'is for pending transfers only' });
    if (!Number.isInteger(timeoutSeconds) || timeoutSeconds < 1 || timeoutSeconds > HOLD_SECONDS_MAX) {
      const message = `must be a whole number from 1 to ${HOLD_SECONDS_MAX}`;
      faults.push({ path: 'timeoutSeconds', message });
    }
  }
  if (faults.length > 0) throw new ValidationError(faults);
  return pending ? (timeoutSeconds ?? HOLD_SECONDS_DEFAULT) : undefined;
}
