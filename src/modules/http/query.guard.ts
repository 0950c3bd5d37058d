import { Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import { ROUTE_ARGS_METADATA } from '@nestjs/common/constants.js';
import type { FastifyRequest } from 'fastify';
import { ValidationError } from '../../common/gateway-error.js';
import { identityOf } from './request-identity.js';

/** How Nest marks a parameter that is the query: the number of the kind, before its place. */
const QUERY_MARK = '4:';
/** More would only repeat themselves, and grow with what was sent. */
const FAULTS_MAX = 100;
const NAME_MAX = 200;

/**
 * Refuses a query where the route reads none: an option that was meant would be ignored in silence otherwise.
 * Routes with a query have their own schema for it; those without a key are left alone.
 */
@Injectable()
export class QueryGuard implements CanActivate {
  /** @throws ValidationError with every name */
  canActivate(context: ExecutionContext): boolean {
    const request = context.switchToHttp().getRequest<FastifyRequest>();
    if (identityOf(request) === undefined || readsQuery(context)) return true;
    const names = Object.keys(request.query as object).slice(0, FAULTS_MAX);
    if (names.length === 0) return true;
    throw new ValidationError(
      names.map((name) => ({ path: name.slice(0, NAME_MAX), message: 'is not known here' })),
    );
  }
}

function readsQuery(context: ExecutionContext): boolean {
  const handler = context.getHandler().name;
  const marks: unknown = Reflect.getMetadata(ROUTE_ARGS_METADATA, context.getClass(), handler);
  return Object.keys(marks ?? {}).some((mark) => mark.startsWith(QUERY_MARK));
}
