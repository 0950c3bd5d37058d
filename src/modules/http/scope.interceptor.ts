import { Injectable, type CallHandler, type ExecutionContext, type NestInterceptor } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { from, lastValueFrom, type Observable } from 'rxjs';
import { GatewayContext, type GatewayScope } from '../../common/gateway-context.js';
import { ScopeMissingError } from '../../common/gateway-error.js';
import type { RequestTrace } from '../../common/request-trace.js';
import { GatewayRuntime } from '../../gateway/gateway-runtime.js';
import { encodeToken } from '../../sharding/replication/consistency-token.js';
import { USER_REQUIRED } from './access.js';
import { identityOf } from './request-identity.js';
import { readScopeHeaders, type ScopeHeaders } from './scope-headers.js';

const READING_METHODS = new Set(['GET', 'HEAD']);

/**
 * Runs a tenant's handler in the scope that key and headers give, and tells afterwards, in the headers of the
 * answer, what was read where and how far was written.
 */
@Injectable()
export class ScopeInterceptor implements NestInterceptor {
  readonly #reflector: Reflector;
  readonly #runtime: GatewayRuntime;

  constructor(reflector: Reflector, runtime: GatewayRuntime) {
    this.#reflector = reflector;
    this.#runtime = runtime;
  }

  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const request = context.switchToHttp().getRequest<FastifyRequest>();
    const identity = identityOf(request);
    if (identity === undefined) return next.handle();
    const targets = [context.getHandler(), context.getClass()];
    const userRequired = this.#reflector.getAllAndOverride<true | undefined>(USER_REQUIRED, targets) ?? false;
    const headers = readScopeHeaders(request.headers, userRequired);
    if (identity.kind === 'operator') return next.handle();
    const scope = scopeOf(identity.tenant.id, headers);
    const reply = context.switchToHttp().getResponse<FastifyReply>();
    const handle = async (): Promise<unknown> => {
      const trace = GatewayContext.trace();
      if (trace === undefined) throw new ScopeMissingError('The handler does not run in a scope.');
      trace.requirePositions(headers.positions, (position) => this.#runtime.cache.knows(position));
      trace.goesPastCache = headers.goesPastCache;
      return handleAndTell(next, trace, request.method, reply);
    };
    return from(GatewayContext.run(scope, handle));
  }
}

/** Called inside the scope; the handler is subscribed to here, so that it runs inside as well. */
async function handleAndTell(
  next: CallHandler,
  trace: RequestTrace,
  method: string,
  reply: FastifyReply,
): Promise<unknown> {
  const tell = READING_METHODS.has(method) ? tellRead : tellWrite;
  try {
    const answer: unknown = await lastValueFrom(next.handle(), { defaultValue: undefined });
    tell(trace, reply, true);
    return answer;
  } catch (error) {
    // What it was refused for others may have written.
    trace.restOnOthers();
    tell(trace, reply, false);
    throw error;
  }
}

function scopeOf(tenantId: string, { userId, actor }: ScopeHeaders): GatewayScope {
  const byDefault = userId === undefined ? `tenant:${tenantId}` : `user:${userId}`;
  return { tenantId, userId, actor: actor ?? byDefault };
}

function tellRead(trace: RequestTrace, reply: FastifyReply): void {
  if (trace.source !== undefined) void reply.header('x-shardgate-source', trace.source);
  const [shardId, ...others] = trace.shardIds;
  if (shardId !== undefined && others.length === 0) void reply.header('x-shardgate-shard', shardId);
}

/** A write that failed may have written before: a token that leads past it is given then, too. */
function tellWrite({ written }: RequestTrace, reply: FastifyReply, succeeded: boolean): void {
  if (succeeded || written.length > 0) void reply.header('x-consistency-token', encodeToken(written));
}
