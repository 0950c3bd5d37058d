import type { FastifyInstance } from 'fastify';

/** What is asked every few seconds by those who watch the process. */
const WATCHED_ROUTES = /^\/(health\/.*|metrics)$/;

/**
 * One line per request, when it is answered: its id, route and outcome. Never bodies, headers or query
 * strings; of the path only the route's pattern.
 */
export function logRequests(fastify: FastifyInstance): void {
  fastify.addHook('onRequest', (request, reply, done) => {
    void reply.header('x-request-id', request.id);
    done();
  });
  fastify.addHook('onResponse', (request, reply, done) => {
    const { method } = request;
    const route = request.routeOptions.url ?? 'unknown';
    const durationMs = Math.round(reply.elapsedTime * 10) / 10;
    const line = { method, route, status: reply.statusCode, durationMs };
    if (WATCHED_ROUTES.test(route)) request.log.debug(line, 'request');
    else request.log.info(line, 'request');
    done();
  });
}
