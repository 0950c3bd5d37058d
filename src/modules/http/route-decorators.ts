import { applyDecorators, SetMetadata } from '@nestjs/common';
import { ApiBearerAuth, ApiHeader, ApiResponse } from '@nestjs/swagger';
import type { z } from 'zod';
import { ERROR_CODES, type ErrorCode } from '../../common/error-codes.js';
import { DeclareAccess, USER_REQUIRED } from './access.js';
import { PROBLEM_MEDIA_TYPE } from './problem.js';

/** The names of the two kinds of keys in the OpenAPI document. */
export const SECURITY_SCHEMES = { tenant: 'tenantKey', operator: 'operatorKey' } as const;

const PROBLEM_CONTENT = { [PROBLEM_MEDIA_TYPE]: { schema: { $ref: '#/components/schemas/Problem' } } };
const ANYTIME: readonly ErrorCode[] = ['validation_failed', 'internal_error'];
const TOKEN_HEADER = 'X-Consistency-Token';

const string = (description: string) => ({ description, schema: { type: 'string' as const } });
const READ_HEADERS = {
  'X-Shardgate-Source': string('Where the answer came from: cache, replica or primary'),
  'X-Shardgate-Shard': string('The shard that answered, where it was one'),
};
const WRITE_HEADERS = {
  [TOKEN_HEADER]: string('Sent along with a read, it makes the read see at least this write'),
};

/** A route for tenants: needs a tenant's key, runs in its scope. For a class or a method. */
export function TenantRoute() {
  return applyDecorators(
    DeclareAccess('tenant'),
    ApiBearerAuth(SECURITY_SCHEMES.tenant),
    ApiHeader({
      name: 'X-User-Id',
      required: false,
      description: 'The acting user; nothing of other users is reached then',
      schema: { type: 'string' },
    }),
    ...SCOPE_HEADERS,
    ApiProblems(
      ...ANYTIME,
      'unauthenticated',
      'forbidden',
      'tenant_suspended',
      'shard_unavailable',
      'pool_exhausted',
    ),
  );
}

/** A route for the operator. For a class or a method. */
export function OperatorRoute() {
  return applyDecorators(
    DeclareAccess('operator'),
    ApiBearerAuth(SECURITY_SCHEMES.operator),
    ApiProblems(...ANYTIME, 'unauthenticated', 'forbidden', 'catalog_unavailable'),
  );
}

/** A route without a key. */
export function PublicRoute() {
  return DeclareAccess('public');
}

/** Makes `X-User-Id` obligatory on a tenant's route: without it the answer is 400 `scope_missing`. */
export function RequireUser() {
  return applyDecorators(
    SetMetadata(USER_REQUIRED, true),
    ApiHeader({
      name: 'X-User-Id',
      required: true,
      description: 'The acting user',
      schema: { type: 'string' },
    }),
  );
}

/** Documents the answer of a route that reads. */
export function ReadAnswer(standardSchema: z.ZodType, description: string, headers: HeaderDocs = {}) {
  return ApiResponse({
    status: 200,
    description,
    standardSchema,
    headers: { ...READ_HEADERS, ...headers },
  });
}

/** Documents the answer of a route that writes in a tenant's scope. */
export function WriteAnswer(
  status: number,
  standardSchema: z.ZodType,
  description: string,
  headers: HeaderDocs = {},
) {
  return ApiResponse({ status, description, standardSchema, headers: { ...WRITE_HEADERS, ...headers } });
}

/** Documents the problems that a route may answer with; those of one status become one entry. */
export function ApiProblems(...codes: readonly ErrorCode[]) {
  const statuses = new Set(codes.map((code) => ERROR_CODES[code].status));
  return applyDecorators(
    ...[...statuses].map((status) => {
      const ofStatus = codes.filter((code) => ERROR_CODES[code].status === status);
      return ApiResponse({ status, description: ofStatus.join(', '), content: PROBLEM_CONTENT });
    }),
  );
}

/** Documents `Idempotency-Key`. */
export function AcceptsIdempotencyKey() {
  return ApiHeader({
    name: 'Idempotency-Key',
    required: false,
    description: 'A repetition with the same key and body gets the first answer again',
    schema: { type: 'string', minLength: 1, maxLength: 255 },
  });
}

type HeaderDocs = Readonly<Record<string, ReturnType<typeof string>>>;

const SCOPE_HEADERS = [
  ApiHeader({
    name: 'X-Actor',
    required: false,
    description: 'Who does it, for the audit log',
    schema: { type: 'string', maxLength: 128 },
  }),
  ApiHeader({
    name: TOKEN_HEADER,
    required: false,
    description: 'Tokens of writes that a read must see, joined with commas',
    schema: { type: 'string' },
  }),
  ApiHeader({
    name: 'Cache-Control',
    required: false,
    description: 'With no-cache, no-store or max-age=0 no kept answer is given',
    schema: { type: 'string', example: 'no-cache' },
  }),
];
