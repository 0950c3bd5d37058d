import { randomUUID } from 'node:crypto';
import type { Socket } from 'node:net';
import { PROBLEM_MEDIA_TYPE, problemOf } from './problem.js';

const STATUS_OF_PARSER: Readonly<Record<string, number>> = {
  HPE_HEADER_OVERFLOW: 431,
  ERR_HTTP_REQUEST_TIMEOUT: 408,
};

/** What Node's parser found wrong. */
interface ClientError extends Error {
  readonly code?: string;
}

/** Answers what is not even HTTP with a problem too, then closes: there is no request to reply to. */
export function refuseConnection(error: ClientError, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const status = STATUS_OF_PARSER[error.code ?? ''] ?? 400;
  const parserError = Object.assign(new SyntaxError('not HTTP'), { statusCode: status });
  const body = JSON.stringify({ ...problemOf(parserError, randomUUID()), status });
  const head = [
    `HTTP/1.1 ${status} Refused`,
    `content-type: ${PROBLEM_MEDIA_TYPE}`,
    `content-length: ${Buffer.byteLength(body)}`,
    'connection: close',
  ];
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`);
}
