import type { FastifyReply } from 'fastify';
import { PROBLEM_MEDIA_TYPE, problemOf, type Problem } from '../http/problem.js';
import type { Answer } from './decided-outcome.js';

/**
 * What a handler returns for an answer, the reply's status and headers set. A remembered refusal is the same
 * document as the first time, instance included.
 *
 * @throws GatewayError a refusal that has just been decided
 */
export function sendAnswer<Body>(
  reply: FastifyReply,
  { outcome, replayed, requestId }: Answer<Body>,
): Body | Problem {
  if (replayed) void reply.header('idempotent-replayed', 'true');
  if (outcome.kind === 'done') {
    void reply.status(outcome.status);
    return outcome.body;
  }
  if (!replayed) throw outcome.error;
  const problem = problemOf(outcome.error, requestId ?? reply.request.id);
  void reply
    .status(problem.status)
    .header('content-type', PROBLEM_MEDIA_TYPE)
    .header('cache-control', 'no-store');
  return problem;
}
