import { setTimeout as sleep } from 'node:timers/promises';
import type { HttpAnswer } from '../http-client.js';
import type { BankSite } from './bank-site.js';

/** How long a caller waits before it asks again, and how often it asks at most, ms. */
const AGAIN_MS = 60;
const ATTEMPTS_MAX = 500;

/** What the bank answers: a transfer, or a problem. */
export interface TransferAnswer {
  readonly id: string;
  readonly status: string;
  readonly fromAccountId: string;
  readonly toAccountId: string;
  readonly amount: string;
  readonly postedAmount: string | null;
  readonly code?: string;
}

/** A request that has one effect at most, however often it is sent, and what is known of it. */
export class KeyedRequest {
  readonly path: string;
  readonly body: object;
  readonly key: string;
  /** The first answer that says what came of it; undefined while that is unknown. */
  answer: HttpAnswer<TransferAnswer> | undefined;
  /** How often it was sent without such an answer. */
  unknown = 0;
  /** Answers that nobody may get, whatever happens to servers. */
  readonly wrong: string[] = [];

  constructor(path: string, body: object, key: string) {
    this.path = path;
    this.body = body;
    this.key = key;
  }

  /** Whether it was done. */
  get done(): TransferAnswer | undefined {
    return this.answer !== undefined && this.answer.status < 300 ? this.answer.body : undefined;
  }

  /** Sends it through this gateway, and again through the next ones while its outcome is unknown. */
  async ask(site: BankSite, gateway: number, isPatient: boolean): Promise<void> {
    for (let attempt = 0; attempt < (isPatient ? ATTEMPTS_MAX : 1); attempt += 1) {
      if (attempt > 0) await sleep(AGAIN_MS);
      this.answer = await this.send(site, gateway + attempt);
      if (this.answer !== undefined) return;
      this.unknown += 1;
    }
  }

  /** Sends it once. @returns undefined when its outcome is unknown */
  async send(site: BankSite, gateway: number): Promise<HttpAnswer<TransferAnswer> | undefined> {
    try {
      const answer = await site.post<TransferAnswer>(gateway, this.path, this.body, {
        idempotencyKey: this.key,
      });
      if (answer.status < 500) return answer;
      if (answer.status !== 503) this.wrong.push(`${this.key}: ${answer.status} ${answer.text}`);
    } catch {
      // The gateway is gone, or was before it had answered.
    }
    return undefined;
  }
}
