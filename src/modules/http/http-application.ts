import { randomUUID } from 'node:crypto';
import type { DynamicModule, LoggerService, NestApplicationOptions, Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { LogController, type FastifyReply, type FastifyRequest } from 'fastify';
import type { Logger } from 'pino';
import { serveOpenApi } from './openapi.js';
import { sendProblem } from './problem.filter.js';
import { refuseConnection } from './refuse-connection.js';
import { refuseExpectation } from './refuse-expectation.js';
import { logRequests } from './request-log.js';

const BODY_LIMIT_BYTES = 1024 * 1024;
/** A thousand transfers with long keys and references. */
const BATCH_BODY_LIMIT_BYTES = 4 * BODY_LIMIT_BYTES;
const BATCH_PATH = '/v1/transfers/batch';
const KEEP_ALIVE_TIMEOUT_MS = 30_000;
const REQUEST_TIMEOUT_MS = 60_000;
/** Ids and tenants are far shorter; what is longer is no route. */
const PARAM_LENGTH_MAX = 256;

/** What the HTTP application is made of. */
export interface HttpApplicationOptions {
  readonly module: Type | DynamicModule;
  readonly log: Logger;
  /** The release, for the OpenAPI document. */
  readonly version: string;
}

/**
 * Makes the application with everything around its routes: limits, logs, problem documents, OpenAPI. The
 * caller listens and closes.
 */
export async function createHttpApplication({
  module,
  log,
  version,
}: HttpApplicationOptions): Promise<NestFastifyApplication> {
  const adapter = new FastifyAdapter({
    loggerInstance: log,
    logController: new LogController({ disableRequestLogging: true, requestIdLogLabel: 'requestId' }),
    genReqId: () => randomUUID(),
    bodyLimit: BODY_LIMIT_BYTES,
    keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
    requestTimeout: REQUEST_TIMEOUT_MS,
    forceCloseConnections: 'idle',
    clientErrorHandler: refuseConnection,
    frameworkErrors: (error: Error, request: FastifyRequest, reply: FastifyReply) => {
      sendProblem(error, request, reply);
    },
    routerOptions: { maxParamLength: PARAM_LENGTH_MAX },
  });
  const fastify = adapter.getInstance();
  // JSON is all that this service reads; text would only fail later, and less clearly.
  fastify.removeContentTypeParser('text/plain');
  fastify.addHook('onRoute', (route) => {
    if (route.url === BATCH_PATH) route.bodyLimit = BATCH_BODY_LIMIT_BYTES;
  });
  logRequests(fastify);
  fastify.server.on('checkExpectation', refuseExpectation);
  const options: Partial<NestApplicationOptions> = {
    logger: nestLoggerOf(log),
    bodyParser: false,
    abortOnError: false,
  };
  const app = await NestFactory.create<NestFastifyApplication>(module, adapter, options);
  serveOpenApi(app, version);
  return app;
}

/** Nest's own messages; its start-up chatter is for debugging only. */
function nestLoggerOf(log: Logger): LoggerService {
  const child = log.child({ component: 'nest' });
  const textOf = (message: unknown): string =>
    message instanceof Error ? message.name : typeof message === 'string' ? message : 'no message';
  return {
    log: (message: unknown) => {
      child.debug({}, textOf(message));
    },
    warn: (message: unknown) => {
      child.warn({}, textOf(message));
    },
    error: (message: unknown) => {
      child.error({}, textOf(message));
    },
    debug: (message: unknown) => {
      child.debug({}, textOf(message));
    },
  };
}
