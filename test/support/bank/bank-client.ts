import type { BankAccount, BankSite } from './bank-site.js';
import { KeyedRequest } from './keyed-request.js';
import { paymentOf, type Payment } from './payment-plan.js';

/** Makes one payment after the other, as they are planned, and keeps what it was told. */
export class BankClient {
  readonly requests: KeyedRequest[] = [];
  readonly #site: BankSite;
  readonly #accounts: readonly BankAccount[];
  readonly #seed: number;
  readonly #client: number;

  constructor(site: BankSite, accounts: readonly BankAccount[], seed: number, client: number) {
    this.#site = site;
    this.#accounts = accounts;
    this.#seed = seed;
    this.#client = client;
  }

  /** Goes on until then, and finishes the payment that it has begun. */
  async run(signal: AbortSignal): Promise<void> {
    const { gateways } = this.#site;
    for (let turn = 0; !signal.aborted; turn += 1) {
      const place = { client: this.#client, turn, accounts: this.#accounts.length, gateways };
      await this.#pay(paymentOf(this.#seed, place));
    }
  }

  async #pay(payment: Payment): Promise<void> {
    const { payer, payee, amount, kind, part } = payment;
    const body = {
      fromAccountId: this.#accounts[payer]!.id,
      toAccountId: this.#accounts[payee]!.id,
      amount,
      ...(kind !== 'at once' && { pending: true }),
    };
    const { done } = await this.#ask(payment, '/v1/transfers', body, 'pay');
    if (done === undefined) return;
    const resolve = (how: 'post' | 'void', resolution: object = {}): Promise<KeyedRequest> =>
      this.#ask(payment, `/v1/transfers/${done.id}/${how}`, resolution, how);
    if (kind === 'posted') await resolve('post');
    if (kind === 'posted in part') await resolve('post', { amount: part });
    if (kind === 'voided') await resolve('void');
    if (kind === 'raced') await Promise.all([resolve('post'), resolve('void')]);
  }

  async #ask(
    { key, gateway, isPatient }: Payment,
    path: string,
    body: object,
    what: string,
  ): Promise<KeyedRequest> {
    const request = new KeyedRequest(path, body, `${key}.${what}`);
    this.requests.push(request);
    await request.ask(this.#site, gateway, isPatient);
    return request;
  }
}
