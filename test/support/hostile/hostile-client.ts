import { Agent, request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import { connect } from 'node:net';
import type { HostileRequest } from './request-draft.js';
import type { RawRequest } from './raw-requests.js';

/** What came back. */
export interface HostileAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

/** Longer than any answer takes; one that takes longer is a fault. */
const ANSWER_TIMEOUT_MS = 15_000;

/** Sends requests as they are, which fetch would refuse or mend. */
export class HostileClient {
  readonly #url: URL;
  readonly #agent: Agent;

  /** @param sockets how many connections are kept open */
  constructor(url: string, sockets: number) {
    this.#url = new URL(url);
    this.#agent = new Agent({ keepAlive: true, maxSockets: sockets });
  }

  /** @throws Error when there is no answer, or none in time */
  async send(request: HostileRequest): Promise<HostileAnswer> {
    try {
      return await this.#attempt(request);
    } catch (error) {
      // The server may close a connection that was kept open at the moment when it is used again.
      if (!(error instanceof ClosedMeanwhileError)) throw error;
      return this.#attempt(request);
    }
  }

  close(): void {
    this.#agent.destroy();
  }

  /** Writes bytes to a connection of their own and reads what comes until it closes. */
  sendRaw({ bytes, endsEarly }: RawRequest): Promise<string> {
    return new Promise((resolve, reject) => {
      const socket = connect(Number(this.#url.port), this.#url.hostname);
      let text = '';
      socket.setTimeout(ANSWER_TIMEOUT_MS, () => {
        socket.destroy();
        reject(new Error(`no end within ${ANSWER_TIMEOUT_MS} ms`));
      });
      socket.on('data', (chunk) => (text += chunk.toString('latin1')));
      // A server may refuse by a reset as well; what it does not do is to stay.
      socket.on('error', () => socket.destroy());
      socket.on('close', () => {
        resolve(text);
      });
      if (endsEarly) socket.end(bytes);
      else socket.write(bytes);
    });
  }

  #attempt({ method, target, headers, body }: HostileRequest): Promise<HostileAnswer> {
    return new Promise((resolve, reject) => {
      const sent = httpRequest(
        {
          host: this.#url.hostname,
          port: this.#url.port,
          agent: this.#agent,
          method,
          path: target,
          headers: headers as Record<string, string | string[]>,
          timeout: ANSWER_TIMEOUT_MS,
        },
        (response) => {
          const chunks: Buffer[] = [];
          response.on('data', (chunk: Buffer) => chunks.push(chunk));
          response.on('error', reject);
          response.on('end', () => {
            const text = Buffer.concat(chunks).toString();
            resolve({ status: response.statusCode ?? 0, headers: response.headers, text });
          });
        },
      );
      sent.on('timeout', () => sent.destroy(new Error(`no answer within ${ANSWER_TIMEOUT_MS} ms`)));
      sent.on('error', (error: NodeJS.ErrnoException) => {
        const wasClosed = error.code === 'ECONNRESET' || error.code === 'EPIPE';
        reject(wasClosed ? new ClosedMeanwhileError('closed without an answer', { cause: error }) : error);
      });
      sent.end(body);
    });
  }
}

class ClosedMeanwhileError extends Error {}
