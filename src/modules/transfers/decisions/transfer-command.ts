import type { Decimal } from 'decimal.js';
import type { IdempotencyKey } from '../../idempotency/idempotency-keys.js';
import type { RequestFields } from '../../idempotency/request-difference.js';
import { formatAmount } from '../../money/amount.js';

/** What every request about a transfer says of itself. */
interface Asked {
  /** The shard of the paying account, where the request's key and its transfer live. */
  readonly homeShardId: string;
  /** The bucket that led there. */
  readonly homeBucket: number;
  /** The acting user, if there is one: it must be the one who pays. */
  readonly userId: string | undefined;
  readonly actor: string;
  readonly idempotency: IdempotencyKey | undefined;
  /** Whether the tenant may use four fraction digits in every currency. */
  readonly subMinorUnits: boolean;
}

/** Money is to be moved, or held to be moved later. */
export interface TransferWanted extends Asked {
  readonly kind: 'transfer';
  /** Lower case, as all ids here. */
  readonly fromAccountId: string;
  readonly toAccountId: string;
  /** Above zero. */
  readonly amount: Decimal;
  readonly reference: string | null;
  /** How long the amount is held, at most; undefined when it is moved at once. */
  readonly holdSeconds: number | undefined;
}

/** What a pending transfer holds is to be moved, in part or all of it. */
export interface PostWanted extends Asked {
  readonly kind: 'post';
  readonly transferId: string;
  /** Above zero; null for all that is held. */
  readonly amount: Decimal | null;
  /** The account that is paid, where it is known already to be on another shard. */
  readonly toAccountId?: string;
}

/** What a pending transfer holds is to be released: given up by the client, or because its time is over. */
export interface ReleaseWanted extends Asked {
  readonly kind: 'void' | 'expire';
  readonly transferId: string;
}

/** One request about a transfer, in a form that a batch can decide. */
export type TransferCommand = TransferWanted | PostWanted | ReleaseWanted;

const OPERATIONS = { post: 'post transfer', void: 'void transfer', expire: 'expire transfer' } as const;

/** The request as it is remembered under its key. */
export function keyedRequestOf(command: TransferCommand): { operation: string; fields: RequestFields } {
  if (command.kind === 'transfer') {
    const { fromAccountId, toAccountId, amount, reference, holdSeconds } = command;
    const fields = {
      fromAccountId,
      toAccountId,
      amount: formatAmount(amount),
      reference,
      pending: holdSeconds === undefined ? null : 'true',
      timeoutSeconds: holdSeconds?.toString() ?? null,
    };
    return { operation: 'transfer', fields };
  }
  const { transferId } = command;
  const amount = command.kind === 'post' && command.amount !== null ? formatAmount(command.amount) : null;
  return { operation: OPERATIONS[command.kind], fields: { transferId, amount } };
}
