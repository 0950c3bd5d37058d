import { Catch, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { GatewayError } from '../../common/gateway-error.js';
import { PROBLEM_MEDIA_TYPE, problemOf } from './problem.js';

/** Answers every error with a problem document (RFC 9457): the one place where errors become HTTP. */
@Catch()
export class ProblemFilter implements ExceptionFilter {
  catch(error: unknown, host: ArgumentsHost): void {
    const http = host.switchToHttp();
    sendProblem(error, http.getRequest<FastifyRequest>(), http.getResponse<FastifyReply>());
  }
}

/** Sends the problem, and logs what the client must not see. */
export function sendProblem(error: unknown, request: FastifyRequest, reply: FastifyReply): void {
  const problem = problemOf(error, request.id);
  if (problem.status >= 500) logCause(error, problem.code, request);
  if (reply.sent) return;
  if (problem.status === 401) void reply.header('www-authenticate', 'Bearer');
  if (error instanceof GatewayError && error.retryAfterSeconds !== undefined) {
    void reply.header('retry-after', String(error.retryAfterSeconds));
  } else if (problem.status === 503) {
    void reply.header('retry-after', '1');
  }
  void reply
    .status(problem.status)
    .header('content-type', PROBLEM_MEDIA_TYPE)
    .header('cache-control', 'no-store')
    .send(JSON.stringify(problem));
}

/** Names and stacks only of what is unexpected: a driver's message may quote values. */
function logCause(error: unknown, code: string, request: FastifyRequest): void {
  if (error instanceof GatewayError && code !== 'internal_error') {
    request.log.warn({ code, reason: error.message }, 'request failed');
    return;
  }
  const cause = error instanceof GatewayError ? (error.cause ?? error) : error;
  request.log.error({ code, ...describe(cause) }, 'request failed unexpectedly');
}

function describe(error: unknown): object {
  if (!(error instanceof Error)) return { thrown: typeof error };
  const sqlState = 'code' in error && typeof error.code === 'string' ? error.code : undefined;
  const frames = error.stack?.split('\n').filter((line) => /^\s+at /.test(line));
  return { error: error.name, sqlState, frames };
}
