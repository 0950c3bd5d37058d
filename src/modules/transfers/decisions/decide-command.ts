import { GatewayError, NotFoundError, ValidationError } from '../../../common/gateway-error.js';
import {
  fundsRefusal,
  outOfRange,
  rangeRefusal,
  statusRefusal,
} from '../../accounts/ledger/movement-decision.js';
import { accountNotFound } from '../../accounts/visible-account.js';
import { finenessFault, isInRange, sumOf } from '../../money/amount.js';
import type { LockedAccount, TransferRow } from './batch-state.js';
import type { PostWanted, ReleaseWanted, TransferCommand, TransferWanted } from './transfer-command.js';
import type { WorkingLedger } from './working-ledger.js';

const CREATED = 201;
const OK = 200;

/**
 * What one request comes to: done, refused for good, malformed in a way that shows only now (its key remembers
 * nothing then), or in need of the account of another shard.
 */
export type CommandDecision =
  | { readonly kind: 'done'; readonly status: number; readonly transfer: TransferRow }
  | { readonly kind: 'refused'; readonly error: GatewayError }
  | { readonly kind: 'malformed'; readonly error: ValidationError }
  | { readonly kind: 'elsewhere'; readonly accountId: string };

/**
 * Decides one request, and does what it comes to.
 *
 * @param isHere whether an account is on a shard that the batch has locks on
 */
export function decideCommand(
  command: TransferCommand,
  ledger: WorkingLedger,
  isHere: (accountId: string) => boolean,
): CommandDecision {
  switch (command.kind) {
    case 'transfer':
      return decideTransfer(command, ledger);
    case 'post':
      return decidePost(command, ledger, isHere);
    case 'void':
    case 'expire':
      return decideRelease(command, ledger);
  }
}

/** Refusals, first one first: not found, malformed for the currency, status, currency, same account, funds, range. */
function decideTransfer(command: TransferWanted, ledger: WorkingLedger): CommandDecision {
  const from = ledger.account(command.fromAccountId);
  const to = ledger.account(command.toAccountId);
  if (from === undefined || isForeign(command, from)) return refused(accountNotFound());
  if (to === undefined) return refused(new NotFoundError('The account to be paid'));
  const malformed = finenessError(command, from.currency);
  if (malformed !== undefined) return malformed;
  const refusal =
    statusRefusal(from) ??
    statusRefusal(to) ??
    currencyRefusal(from, to) ??
    sameAccountRefusal(from, to) ??
    fundsRefusal(from, command.amount) ??
    (command.holdSeconds === undefined
      ? movedRangeRefusal(from, to, command.amount)
      : heldRangeRefusal(from, command.amount));
  if (refusal !== undefined) return refused(refusal);
  const transfer =
    command.holdSeconds === undefined
      ? ledger.move(from, to, command)
      : ledger.hold(from, to, command, command.holdSeconds);
  return { kind: 'done', status: CREATED, transfer };
}

/** Refusals, first one first: not found, malformed for the currency, status of the transfer and of both accounts, amount, range. */
function decidePost(
  command: PostWanted,
  ledger: WorkingLedger,
  isHere: (accountId: string) => boolean,
): CommandDecision {
  const found = findTransfer(command, ledger);
  if (found === undefined) return refused(transferNotFound());
  const { transfer, from } = found;
  const malformed = finenessError(command, transfer.currency);
  if (malformed !== undefined) return malformed;
  if (transfer.status !== 'PENDING') return refused(notPending());
  if (isOver(transfer, ledger.instantFor(from))) {
    ledger.release(transfer, from, 'EXPIRED');
    return refused(notPending());
  }
  if (!isHere(transfer.toAccountId)) return { kind: 'elsewhere', accountId: transfer.toAccountId };
  const to = ledger.account(transfer.toAccountId);
  if (to === undefined) return refused(new NotFoundError('The account to be paid'));
  const amount = command.amount ?? transfer.amount;
  const refusal =
    statusRefusal(from) ??
    statusRefusal(to) ??
    pendingAmountRefusal(amount.greaterThan(transfer.amount)) ??
    movedRangeRefusal(from, to, amount);
  if (refusal !== undefined) return refused(refusal);
  return {
    kind: 'done',
    status: OK,
    transfer: ledger.post(transfer, from, to, { amount, actor: command.actor }),
  };
}

/** Releases no matter what status the accounts have: no money moves. */
function decideRelease(command: ReleaseWanted, ledger: WorkingLedger): CommandDecision {
  const found = findTransfer(command, ledger);
  if (found === undefined) return refused(transferNotFound());
  const { transfer, from } = found;
  const isExpiry = command.kind === 'expire';
  const isLate = isOver(transfer, ledger.instantFor(from));
  if (transfer.status !== 'PENDING') return refused(notPending());
  if (isExpiry && !isLate) return refused(new GatewayError('transfer_not_pending', 'It is not over yet.'));
  const released = ledger.release(transfer, from, isLate ? 'EXPIRED' : 'VOIDED');
  return isLate && !isExpiry ? refused(notPending()) : { kind: 'done', status: OK, transfer: released };
}

function findTransfer(
  command: PostWanted | ReleaseWanted,
  ledger: WorkingLedger,
): { readonly transfer: TransferRow; readonly from: LockedAccount } | undefined {
  const transfer = ledger.transfer(command.transferId);
  const from = transfer && ledger.account(transfer.fromAccountId);
  if (transfer === undefined || from === undefined || isForeign(command, from)) return undefined;
  return { transfer, from };
}

function isForeign({ userId }: TransferCommand, account: LockedAccount): boolean {
  return userId !== undefined && userId !== account.userId;
}

function isOver({ expiresAt }: TransferRow, now: Date): boolean {
  return expiresAt !== null && expiresAt.getTime() <= now.getTime();
}

function refused(error: GatewayError): CommandDecision {
  return { kind: 'refused', error };
}

function finenessError(
  { amount, subMinorUnits }: TransferWanted | PostWanted,
  currency: string,
): CommandDecision | undefined {
  const fault = amount === null ? undefined : finenessFault(amount, { currency, subMinorUnits }, 'amount');
  return fault && { kind: 'malformed', error: new ValidationError([fault]) };
}

function transferNotFound(): GatewayError {
  return new NotFoundError('The transfer');
}

function notPending(): GatewayError {
  return new GatewayError(
    'transfer_not_pending',
    'The transfer holds nothing any more; read it to see what became of it.',
  );
}

function currencyRefusal(from: LockedAccount, to: LockedAccount): GatewayError | undefined {
  if (from.currency === to.currency) return undefined;
  return new GatewayError('currency_mismatch', 'The accounts have different currencies; choose two of one.');
}

function sameAccountRefusal(from: LockedAccount, to: LockedAccount): GatewayError | undefined {
  if (from.id !== to.id) return undefined;
  return new GatewayError('same_account', 'The account would pay itself; name two accounts.');
}

function pendingAmountRefusal(isMore: boolean): GatewayError | undefined {
  if (!isMore) return undefined;
  return new GatewayError(
    'amount_exceeds_pending',
    'The transfer holds less than that; post at most what it holds.',
  );
}

function movedRangeRefusal(
  from: LockedAccount,
  to: LockedAccount,
  amount: TransferWanted['amount'],
): GatewayError | undefined {
  return rangeRefusal(from, amount.negated()) ?? rangeRefusal(to, amount);
}

function heldRangeRefusal(
  { held }: LockedAccount,
  amount: TransferWanted['amount'],
): GatewayError | undefined {
  return isInRange(sumOf(held, amount)) ? undefined : outOfRange();
}
