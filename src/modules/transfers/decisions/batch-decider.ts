import { GatewayError } from '../../../common/gateway-error.js';
import { toStored, type Answer, type DecidedOutcome } from '../../idempotency/decided-outcome.js';
import { assertSameRequest, NO_OWNER, rememberedAnswer } from '../../idempotency/idempotency-keys.js';
import type { KeyedRequest } from '../../idempotency/request-difference.js';
import { TRANSFER_SHAPE, transferViewOf, type TransferView } from '../transfer-view.js';
import type { BatchState } from './batch-state.js';
import { decideCommand, type CommandDecision } from './decide-command.js';
import type { ShardWrites } from './shard-writes.js';
import { keyedRequestOf, type TransferCommand } from './transfer-command.js';
import { WorkingLedger, type MintId } from './working-ledger.js';

/** What one request of a batch comes to. */
export type CommandResult =
  | {
      readonly kind: 'answered';
      readonly answer: Answer<TransferView>;
      /** Whose accounts it touched. */
      readonly userIds: readonly string[];
    }
  /** It has changed nothing, and no key remembers it. */
  | { readonly kind: 'thrown'; readonly error: GatewayError }
  /** Somebody else holds an account of it: to be decided later. */
  | { readonly kind: 'busy' }
  /** It needs an account that is on another shard than the batch has locks on. */
  | { readonly kind: 'elsewhere'; readonly accountId: string };

/** What some requests of a batch come to. */
export interface BatchStep {
  /** One per request, in order. */
  readonly results: readonly CommandResult[];
  /** What is to be written, by shard; nothing on shards that are not there. */
  readonly writes: ReadonlyMap<string, ShardWrites>;
}

/** What decides besides what was read. */
export interface BatchContext {
  /** Makes an id of a bucket. */
  readonly mintId: MintId;
  /** Whether an account is on a shard that the batch has locks on. */
  readonly isHere: (accountId: string) => boolean;
}

/** A request whose key was used in this batch. */
interface DecidedHere extends KeyedRequest {
  readonly answer: Answer<TransferView>;
  readonly userIds: readonly string[];
}

/**
 * Decides the requests of a batch in their order, each on what those before it left, as if they came one by one.
 * It may be done in steps, so that what one step comes to is written while the next is decided. Nothing here asks a
 * database or a clock.
 */
export class BatchDecider {
  readonly #state: BatchState;
  readonly #isHere: BatchContext['isHere'];
  readonly #ledger: WorkingLedger;
  readonly #decided = new Map<string, DecidedHere>();
  /** Of the next request, in the whole batch. */
  #place = 0;

  constructor(state: BatchState, { mintId, isHere }: BatchContext) {
    this.#state = state;
    this.#isHere = isHere;
    this.#ledger = new WorkingLedger(state, mintId);
  }

  /** Decides the next requests, behind which more come. Accounts are not written yet: they change once. */
  decideSome(commands: readonly TransferCommand[]): BatchStep {
    const results = commands.map((command) => this.#decide(command));
    return { results, writes: this.#ledger.takeRows() };
  }

  /** Decides the last requests of the batch. */
  decideLast(commands: readonly TransferCommand[]): BatchStep {
    const results = commands.map((command) => this.#decide(command));
    return { results, writes: this.#ledger.takeAll() };
  }

  #decide(command: TransferCommand): CommandResult {
    const ledger = this.#ledger;
    const remembered = this.#state.remembered.get(this.#place++);
    const request = keyedRequestOf(command);
    try {
      const kept = remembered && rememberedAnswer(remembered, { ...request, shape: TRANSFER_SHAPE });
      if (kept !== undefined) return answered(kept, usersOf(command, ledger));
      // Before its key is looked for: whose it is may not be known without the account.
      if (isLeftForLater(command, ledger, this.#state)) return BUSY;
      const keyId = keyIdOf(command, ledger);
      const earlier = this.#decided.get(keyId ?? '');
      if (earlier !== undefined) {
        assertSameRequest(earlier, request);
        return answered({ ...earlier.answer, replayed: true }, earlier.userIds);
      }
      const result = resultOf(command, decideCommand(command, ledger, this.#isHere), ledger);
      if (result.kind === 'answered' && keyId !== undefined) {
        const { answer, userIds } = result;
        this.#decided.set(keyId, { ...request, answer, userIds });
        remember(command, request, answer, ledger);
      }
      return result;
    } catch (error) {
      // A key that belongs to another request.
      if (error instanceof GatewayError) return { kind: 'thrown', error };
      throw error;
    }
  }
}

const BUSY: CommandResult = { kind: 'busy' };

function resultOf(command: TransferCommand, decision: CommandDecision, ledger: WorkingLedger): CommandResult {
  switch (decision.kind) {
    case 'malformed':
      return { kind: 'thrown', error: decision.error };
    case 'elsewhere':
      return decision;
    case 'refused':
      return answered(newAnswer(command, decision), usersOf(command, ledger));
    case 'done': {
      const { status, transfer } = decision;
      const outcome = { kind: 'done', status, body: transferViewOf(transfer) } as const;
      return answered(newAnswer(command, outcome), usersOf(command, ledger));
    }
  }
}

function answered(answer: Answer<TransferView>, userIds: readonly string[]): CommandResult {
  return { kind: 'answered', answer, userIds };
}

function newAnswer(
  { idempotency }: TransferCommand,
  outcome: DecidedOutcome<TransferView>,
): Answer<TransferView> {
  return { outcome, replayed: false, requestId: idempotency?.requestId };
}

function remember(
  command: TransferCommand,
  { operation, fields: request }: KeyedRequest,
  { outcome }: Answer<TransferView>,
  ledger: WorkingLedger,
): void {
  const { idempotency, homeShardId, homeBucket: bucket } = command;
  if (idempotency === undefined) return;
  const { key, requestId } = idempotency;
  const { status, response } = toStored(outcome, requestId);
  const userId = ownerOf(command, ledger);
  ledger.remember(homeShardId, { userId, key, bucket, operation, request, status, response });
}

/** Keys are one user's, and a user's are on one shard; those of nobody are on each. */
function keyIdOf(command: TransferCommand, ledger: WorkingLedger): string | undefined {
  const { idempotency, homeShardId } = command;
  return idempotency && `${homeShardId} ${ownerOf(command, ledger)} ${idempotency.key}`;
}

/** Whose the key is: the acting user's, or of whoever pays where the tenant's service acts. */
function ownerOf(command: TransferCommand, ledger: WorkingLedger): string {
  if (command.userId !== undefined) return command.userId;
  if (command.kind === 'transfer') return ledger.account(command.fromAccountId)?.userId ?? NO_OWNER;
  return ledger.transfer(command.transferId)?.userId ?? NO_OWNER;
}

function accountIdsOf(command: TransferCommand, ledger: WorkingLedger): readonly string[] {
  if (command.kind === 'transfer') return [command.fromAccountId, command.toAccountId];
  const transfer = ledger.transfer(command.transferId);
  if (transfer === undefined) return [];
  // What is released concerns the payer alone.
  return command.kind === 'post' ? [transfer.fromAccountId, transfer.toAccountId] : [transfer.fromAccountId];
}

function isLeftForLater(
  command: TransferCommand,
  ledger: WorkingLedger,
  { busy, unsettled }: BatchState,
): boolean {
  if (command.kind !== 'transfer' && unsettled.has(command.transferId)) return true;
  return accountIdsOf(command, ledger).some((id) => busy.has(id));
}

function usersOf(command: TransferCommand, ledger: WorkingLedger): readonly string[] {
  const users = accountIdsOf(command, ledger).map((id) => ledger.account(id)?.userId);
  return users.filter((user) => user !== undefined);
}
