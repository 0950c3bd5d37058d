import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { ValidationError } from '../../common/gateway-error.js';

const IDEMPOTENCY_KEY_PATTERN = /^[\x20-\x7e]{1,255}$/;
/** Versions stay far below 2^53. */
const ETAG_PATTERN = /^"(0|[1-9]\d{0,14})"$/;

/** The value of `Idempotency-Key`; undefined without one. @throws ValidationError when it is malformed */
export const IdempotencyKey = createParamDecorator((_: unknown, context: ExecutionContext) =>
  readIdempotencyKey(requestOf(context).headers['idempotency-key']),
);

/** The version that `If-Match` names; undefined without one, and for `*`. @throws ValidationError when malformed */
export const IfMatch = createParamDecorator((_: unknown, context: ExecutionContext) =>
  readIfMatch(requestOf(context).headers['if-match']),
);

function readIdempotencyKey(header: string | string[] | undefined): string | undefined {
  if (header === undefined) return undefined;
  if (typeof header === 'string' && IDEMPOTENCY_KEY_PATTERN.test(header)) return header;
  throw new ValidationError([
    { path: 'Idempotency-Key', message: 'must be 1 to 255 printable ASCII characters' },
  ]);
}

function readIfMatch(header: string | undefined): number | undefined {
  if (header === undefined || header.trim() === '*') return undefined;
  const [, version] = ETAG_PATTERN.exec(header.trim()) ?? [];
  if (version !== undefined) return Number(version);
  throw new ValidationError([
    { path: 'If-Match', message: 'must be one ETag as it was given out, such as "3", with its quotes' },
  ]);
}

function requestOf(context: ExecutionContext): FastifyRequest {
  return context.switchToHttp().getRequest<FastifyRequest>();
}
