import { randomUUID } from 'node:crypto';
import { OPERATOR_KEY, type GatewayProcess } from '../gateway-process.js';
import { HttpClient, type HttpAnswer } from '../http-client.js';
import type { LoadClient, LoadOutcome } from './steady-load.js';

/** An account that is only read during a load, or only written. */
export interface BankAccount {
  readonly id: string;
  readonly userId: string;
}

const OPENING_BALANCE = '5.0000';

/** The one tenant of a gateway under load. */
export class Bank {
  readonly client: HttpClient;
  readonly #tenantId: string;
  readonly #operator: HttpClient;

  private constructor(url: string, tenantId: string, key: string) {
    this.client = new HttpClient(url, key);
    this.#tenantId = tenantId;
    this.#operator = new HttpClient(url, OPERATOR_KEY);
  }

  /** Makes the tenant. */
  static async found(gateway: GatewayProcess, tenantId: string): Promise<Bank> {
    return new Bank(gateway.url, tenantId, await gateway.createTenant(tenantId));
  }

  /** Opens an account of a new user on this shard. */
  async openOn(shardId: string): Promise<BankAccount> {
    const userId = await this.#userOn(shardId);
    const body = { accountNumber: `B-${randomUUID().slice(0, 18)}`, currency: 'EUR', openingBalance: '5' };
    const answer = await this.client.post<{ id: string }>('/v1/accounts', body, { userId });
    if (answer.status !== 201) throw new Error(`Not opened: ${answer.text}`);
    return { id: answer.body.id, userId };
  }

  async #userOn(shardId: string): Promise<string> {
    for (;;) {
      const userId = `u-${randomUUID().slice(0, 8)}`;
      const path = `/v1/admin/route?tenantId=${this.#tenantId}&userId=${userId}`;
      if ((await this.#operator.get<{ shardId: string }>(path)).body.shardId === shardId) return userId;
    }
  }
}

/** Reads an account that nobody writes: in turn by the tenant's service, by its user, in their list, its history. */
export function reader({ client }: Bank, { id, userId }: BankAccount, label: string): LoadClient {
  const path = `/v1/accounts/${id}`;
  const isRight = (account: unknown): boolean => {
    const { id: shown, balance } = (account ?? {}) as Record<string, unknown>;
    return shown === id && balance === OPENING_BALANCE;
  };
  // The cache would hide from the load what becomes of the servers.
  const headers = { 'cache-control': 'no-cache' };
  const first = ({ body }: HttpAnswer): unknown => (body.items as unknown[] | undefined)?.[0];
  const reads = [
    async () => judge(await client.get(path, { headers }), ({ body }) => isRight(body)),
    async () => judge(await client.get(path, { userId, headers }), ({ body }) => isRight(body)),
    async () =>
      judge(await client.get('/v1/accounts', { userId, headers }), (answer) => isRight(first(answer))),
    async () =>
      judge(await client.get(`${path}/transactions`, { headers }), (answer) => {
        return (first(answer) as Record<string, unknown> | undefined)?.amount === OPENING_BALANCE;
      }),
  ];
  return { label, send: (turn) => reads[turn % reads.length]!() };
}

/** Deposits into an account that nobody else writes. */
export function writer({ client }: Bank, { id, userId }: BankAccount, label: string): LoadClient {
  const send = async (): Promise<LoadOutcome> =>
    judge(
      await client.post(`/v1/accounts/${id}/deposits`, { amount: '0.01' }, { userId }),
      ({ body }) => body.amount === '0.0100',
    );
  return { label, send };
}

/** An answer with its fault, if it is not 2xx or not right: for a problem its code, and what it lacks. */
export function judge(answer: HttpAnswer, isRight: (answer: HttpAnswer) => boolean): LoadOutcome {
  const { status, body, headers } = answer;
  if (status >= 200 && status < 300) return { status, fault: isRight(answer) ? undefined : 'a wrong answer' };
  const retryAfter = Number(headers.get('retry-after') ?? 0) > 0 ? '' : ' without Retry-After';
  return { status, fault: `${String(body.code)}${retryAfter}` };
}
