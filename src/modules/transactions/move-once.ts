import type { EntityManager } from 'typeorm';
import { GatewayContext } from '../../common/gateway-context.js';
import type { GatewayTransaction } from '../../gateway/gateway-transaction.js';
import { moveMoney, type WantedMovement } from '../accounts/ledger/move-money.js';
import type { Answer, DecidedOutcome } from '../idempotency/decided-outcome.js';
import {
  decideOnce,
  NO_OWNER,
  type IdempotencyKey,
  type IdempotentRequest,
} from '../idempotency/idempotency-keys.js';
import { formatAmount } from '../money/amount.js';
import { transactionViewOf, transactionViewSchema, type TransactionView } from './transaction-view.js';

const CREATED = 201;

/** Without a lock: whose an account is never changes. */
const OWNER_SQL = `
  SELECT user_id AS "userId" FROM finance.accounts
  WHERE tenant_id = $1 AND id = $2 AND kind = 'USER'`;

/**
 * A deposit or withdrawal as a client sees it, once per key. The key's owner is the acting user, or the
 * account's own user where the tenant's service acts.
 */
export async function moveOnce(
  tx: GatewayTransaction,
  wanted: WantedMovement,
  idempotency: IdempotencyKey | undefined,
): Promise<Answer<TransactionView>> {
  if (idempotency === undefined) {
    return { outcome: await move(tx, wanted), replayed: false, requestId: undefined };
  }
  const { tenantId, userId } = GatewayContext.require();
  const keyOwner = userId ?? (await ownerOf(tx.manager, tenantId, wanted.accountId)) ?? NO_OWNER;
  const scope = { tenantId, userId: keyOwner, bucket: tx.owner.bucket };
  return decideOnce(tx.manager, scope, requestOf(wanted, idempotency), () => move(tx, wanted));
}

async function move(
  tx: GatewayTransaction,
  wanted: WantedMovement,
): Promise<DecidedOutcome<TransactionView>> {
  const result = await moveMoney(tx, wanted);
  if (result.kind === 'refused') return result;
  return { kind: 'done', status: CREATED, body: transactionViewOf(result.entry) };
}

async function ownerOf(manager: EntityManager, tenantId: string, id: string): Promise<string | undefined> {
  const [owner] = await manager.query<{ userId: string }[]>(OWNER_SQL, [tenantId, id]);
  return owner?.userId;
}

function requestOf(
  { type, accountId, amount, reference }: WantedMovement,
  idempotency: IdempotencyKey,
): IdempotentRequest<TransactionView> {
  return {
    operation: type === 'DEPOSIT' ? 'deposit' : 'withdraw',
    fields: { accountId, amount: formatAmount(amount), reference },
    idempotency,
    shape: transactionViewSchema.keyof().options,
  };
}
