import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { PROBLEM_MEDIA_TYPE, problemOf } from './problem.js';

const EXPECTATION_FAILED = 417;

/**
 * Answers a request whose `Expect` is not `100-continue` with a problem: Node, which asks before there is a
 * request for anybody else, would answer without a body. For the server's event `checkExpectation`.
 */
export function refuseExpectation(_request: IncomingMessage, response: ServerResponse): void {
  const cause = Object.assign(new SyntaxError('unknown expectation'), { statusCode: EXPECTATION_FAILED });
  const body = JSON.stringify({ ...problemOf(cause, randomUUID()), status: EXPECTATION_FAILED });
  response
    .writeHead(EXPECTATION_FAILED, {
      'content-type': PROBLEM_MEDIA_TYPE,
      'content-length': Buffer.byteLength(body),
      // The body that was announced is not read.
      connection: 'close',
    })
    .end(body);
}
