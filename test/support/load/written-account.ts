import { randomUUID } from 'node:crypto';
import type { HttpAnswer, HttpClient, HttpRequest } from '../http-client.js';

/** What a read of an account must show. */
export interface AccountState {
  readonly id: string;
  readonly balance: string;
  readonly status: 'ACTIVE' | 'FROZEN';
  readonly version: number;
}

const DEPOSIT_CENTS = 125;

/**
 * An account that one client alone writes, and which therefore knows what every read after a write must show.
 * Its writes go round: deposit, freeze, thaw.
 */
export class WrittenAccount {
  readonly id: string;
  readonly userId: string;
  readonly #client: HttpClient;
  #cents = 0;
  #status: AccountState['status'] = 'ACTIVE';
  #version: number;
  #turn = 0;
  #latestDepositId: string | undefined;

  private constructor(client: HttpClient, userId: string, id: string, version: number) {
    this.#client = client;
    this.userId = userId;
    this.id = id;
    this.#version = version;
  }

  /** Opens an account for this user. Its writes go through `client`. */
  static async open(client: HttpClient, userId: string): Promise<WrittenAccount> {
    const body = { accountNumber: `W-${randomUUID().slice(0, 18)}`, currency: 'EUR' };
    const answer = await client.post<AccountState>('/v1/accounts', body, { userId });
    if (answer.status !== 201) throw new Error(`Not opened: ${answer.text}`);
    return new WrittenAccount(client, userId, answer.body.id, answer.body.version);
  }

  /** What a read must show by now. */
  get state(): AccountState {
    const balance = `${Math.floor(this.#cents / 100)}.${String(this.#cents % 100).padStart(2, '0')}00`;
    return { id: this.id, balance, status: this.#status, version: this.#version };
  }

  /** The newest of its transactions; undefined before the first. */
  get latestDepositId(): string | undefined {
    return this.#latestDepositId;
  }

  /** The next write, in its user's name. @returns its consistency token */
  async write(): Promise<string> {
    const kind = (['deposit', 'FROZEN', 'ACTIVE'] as const)[this.#turn % 3] ?? 'deposit';
    this.#turn += 1;
    return kind === 'deposit' ? this.deposit() : this.#setStatus(kind);
  }

  /** A deposit, in its user's name. @returns its consistency token */
  async deposit(): Promise<string> {
    const amount = (DEPOSIT_CENTS / 100).toFixed(2);
    const path = `/v1/accounts/${this.id}/deposits`;
    const answer = await this.#client.post<{ id: string }>(path, { amount }, { userId: this.userId });
    const token = tokenOf(answer, 201);
    this.#cents += DEPOSIT_CENTS;
    this.#version += 1;
    this.#latestDepositId = answer.body.id;
    return token;
  }

  async #setStatus(status: AccountState['status']): Promise<string> {
    const path = `/v1/accounts/${this.id}`;
    const token = tokenOf(await this.#client.patch(path, { status }, { userId: this.userId }), 200);
    this.#status = status;
    this.#version += 1;
    return token;
  }

  /** Reads it by its id. */
  read(client: HttpClient, request: HttpRequest): Promise<HttpAnswer<AccountState>> {
    return client.get<AccountState>(`/v1/accounts/${this.id}`, request);
  }
}

function tokenOf(answer: HttpAnswer<unknown>, expectedStatus: number): string {
  const token = answer.headers.get('x-consistency-token');
  if (answer.status !== expectedStatus || token === null) throw new Error(`Not written: ${answer.text}`);
  return token;
}
