import { HttpException } from '@nestjs/common';
import { z } from 'zod';
import { ERROR_CODES, type ErrorCode } from '../../common/error-codes.js';
import { GatewayError, type FieldFault } from '../../common/gateway-error.js';

/** The media type of every error answer (RFC 9457). */
export const PROBLEM_MEDIA_TYPE = 'application/problem+json';

/** An error as a client sees it. */
export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  /** `urn:uuid:` and the request's id, under which the log has more. */
  readonly instance: string;
  readonly code: ErrorCode;
  readonly errors?: readonly FieldFault[];
}

/** The shape of {@link Problem} in the OpenAPI document. */
export const problemSchema = z.object({
  type: z.string().meta({ example: 'urn:shardgate:problem:not_found' }),
  title: z.string(),
  status: z.int(),
  detail: z.string().meta({ description: 'What to do about it' }),
  instance: z.string().meta({ description: 'The id of the request, for questions to the operator' }),
  code: z.enum(Object.keys(ERROR_CODES)),
  errors: z.array(z.object({ path: z.string(), message: z.string() })).optional(),
});

/** What is said to a client of an error that is not one of the gateway's own. */
const DETAIL_OF_STATUS: Readonly<Record<number, readonly [ErrorCode, string]>> = {
  400: [
    'validation_failed',
    'The request could not be read; send well-formed JSON and a well-formed address.',
  ],
  403: ['forbidden', 'This is not allowed.'],
  404: ['not_found', 'There is no such route; /docs lists them all.'],
  408: ['validation_failed', 'The request did not arrive in time; send it again.'],
  413: ['payload_too_large', 'The body is larger than this service accepts; send less at once.'],
  414: ['validation_failed', 'The address is too long.'],
  415: ['unsupported_media_type', 'Send the body as application/json.'],
  417: [
    'validation_failed',
    'Nothing but 100-continue can be expected here; leave the header Expect out, or send that.',
  ],
  431: ['validation_failed', 'The request headers are too large; send fewer or shorter ones.'],
  503: ['overloaded', 'The service is shutting down; send the request again, to another process.'],
};

/** Fastify's own codes whose fix can be told more exactly than by their status. */
const DETAIL_OF_FASTIFY: Readonly<Record<string, string>> = {
  FST_ERR_BAD_URL: 'The address is not well-formed; check its percent-encoding.',
  FST_ERR_MAX_PARAM_LENGTH: 'A part of the address is too long.',
};

/** What a client is told of an error, whatever it is. Nothing of a foreign error's own text gets through. */
export function problemOf(error: unknown, requestId: string): Problem {
  const { code, detail, errors } = publicPartOf(error);
  const { title, status } = ERROR_CODES[code];
  return {
    type: `urn:shardgate:problem:${code}`,
    title,
    status,
    detail,
    instance: `urn:uuid:${requestId}`,
    code,
    ...(errors !== undefined && { errors }),
  };
}

interface PublicPart {
  readonly code: ErrorCode;
  readonly detail: string;
  readonly errors?: readonly FieldFault[] | undefined;
}

function publicPartOf(error: unknown): PublicPart {
  // A configuration error of a running service names nodes and options: the operator's business, in the log.
  if (error instanceof GatewayError && ERROR_CODES[error.code].status !== 500) {
    return { code: error.code, detail: error.message, errors: error.errors };
  }
  const [code, general] = DETAIL_OF_STATUS[statusOf(error)] ?? [
    'internal_error',
    'Something went wrong here; the log has it under the instance of this answer.',
  ];
  const detail = DETAIL_OF_FASTIFY[fastifyCodeOf(error) ?? ''] ?? general;
  return { code, detail, ...(code === 'validation_failed' && { errors: [{ path: '', message: detail }] }) };
}

/** Only the framework's errors have a status; a driver's or TypeORM's `status` would mean something else. */
function statusOf(error: unknown): number {
  if (error instanceof HttpException) return error.getStatus();
  if (!(error instanceof SyntaxError) && fastifyCodeOf(error) === undefined && !isCutShort(error)) return 500;
  const status = (error as { readonly statusCode?: unknown }).statusCode;
  return typeof status === 'number' ? status : 500;
}

/**
 * Whether a client went away in the middle of its body. Fastify gives the socket's error a status; the same
 * code without one is of a connection of our own.
 */
function isCutShort(error: unknown): boolean {
  return error instanceof Error && 'statusCode' in error && 'code' in error && error.code === 'ECONNRESET';
}

function fastifyCodeOf(error: unknown): string | undefined {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return typeof code === 'string' && code.startsWith('FST_') ? code : undefined;
}
