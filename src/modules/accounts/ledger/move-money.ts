import type { Decimal } from 'decimal.js';
import { GatewayContext } from '../../../common/gateway-context.js';
import { ValidationError, type GatewayError } from '../../../common/gateway-error.js';
import type { GatewayTransaction } from '../../../gateway/gateway-transaction.js';
import { finenessFault } from '../../money/amount.js';
import { Account } from '../account.js';
import type { LedgerTransaction } from './ledger-transaction.js';
import { decideDeposit, decideWithdrawal, outOfRange } from './movement-decision.js';
import { postMovement, type Movement } from './post-movement.js';

/** A deposit or withdrawal that is asked for. */
export interface WantedMovement {
  readonly type: Movement['type'];
  readonly accountId: string;
  /** Above zero, in both directions. */
  readonly amount: Decimal;
  readonly reference: string | null;
  /** Whether the tenant may use four fraction digits in every currency. */
  readonly subMinorUnits: boolean;
  /** Makes an id of this user's bucket. */
  readonly mintId: (userId: string) => string;
}

/** What came of a movement: the account's entry, or a refusal, which has changed nothing. */
export type MovementResult =
  | { readonly kind: 'posted'; readonly entry: LedgerTransaction }
  | { readonly kind: 'refused'; readonly error: GatewayError };

/**
 * Moves money into or out of an account, within a transaction on its shard: lock the account → decide in
 * code → post. The settlement account is the last lock.
 *
 * @throws ValidationError when the amount has more fraction digits than the account's currency
 */
export async function moveMoney(tx: GatewayTransaction, wanted: WantedMovement): Promise<MovementResult> {
  const [locked] = await tx.lock(Account, [wanted.accountId]);
  const account = locked?.kind === 'USER' ? locked : undefined;
  if (account !== undefined) assertFineness(account, wanted);
  const decide = wanted.type === 'DEPOSIT' ? decideDeposit : decideWithdrawal;
  const decision = decide(account, wanted.amount);
  if (decision.kind === 'refuse') return { kind: 'refused', error: decision.error };
  const { account: able, amount } = decision;
  const { actor } = GatewayContext.require();
  const movement = { type: wanted.type, amount, reference: wanted.reference, actor };
  const entry = await postMovement(tx.manager, able, movement, () => wanted.mintId(able.userId));
  return entry === undefined ? { kind: 'refused', error: outOfRange() } : { kind: 'posted', entry };
}

function assertFineness({ currency }: Account, { amount, subMinorUnits }: WantedMovement): void {
  const fault = finenessFault(amount, { currency, subMinorUnits }, 'amount');
  if (fault !== undefined) throw new ValidationError([fault]);
}
