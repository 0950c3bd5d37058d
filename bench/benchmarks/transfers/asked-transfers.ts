import { randomUUID } from 'node:crypto';
import { GatewayContext } from '../../../src/index.js';
import type { TransferView } from '../../../src/modules/transfers/transfer-view.js';
import type { TransfersService } from '../../../src/modules/transfers/transfers.service.js';
import { TRANSFER_AMOUNT, type TransferBank } from '../../bank/transfer-bank.js';
import { WrongAnswerError } from '../../harness/wrong-answer.js';

const ACTOR = 'shardgate';
const AMOUNT_ANSWERED = '0.0100';

/** Whom a transfer takes from and whom it gives to. */
export interface Pair {
  readonly fromId: string;
  readonly toId: string;
}

/** Keys that no other request of this run has. */
export class FreshKeys {
  readonly #run = randomUUID().slice(0, 13);
  #used = 0;

  next(): string {
    this.#used += 1;
    return `${this.#run}-${this.#used}`;
  }
}

/** One transfer through the service, as the tenant's own service asks for it: with a key, in a scope of its own. */
export async function transferOurs(
  transfers: TransfersService,
  bank: TransferBank,
  { fromId, toId }: Pair,
  key: string,
): Promise<void> {
  const request = { fromAccountId: fromId, toAccountId: toId, amount: TRANSFER_AMOUNT, reference: key };
  const { outcome, replayed } = await GatewayContext.run({ tenantId: bank.tenantId, actor: ACTOR }, () =>
    transfers.transfer(request, { key }),
  );
  if (replayed || outcome.kind !== 'done') throw new WrongAnswerError('a transfer was not accepted');
  assertDone(outcome.body, { fromId, toId }, key);
  bank.noteAccepted(ACTOR);
}

/** @throws WrongAnswerError unless this is what was asked for, done */
export function assertDone(view: TransferView, { fromId, toId }: Pair, key: string): void {
  const isRight =
    view.status === 'COMPLETED' &&
    view.fromAccountId === fromId &&
    view.toAccountId === toId &&
    view.amount === AMOUNT_ANSWERED &&
    view.reference === key;
  if (!isRight) throw new WrongAnswerError('not the transfer that was asked for');
}
