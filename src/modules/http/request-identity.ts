import type { FastifyRequest } from 'fastify';
import type { Authentication } from '../tenants/tenant-directory.js';

/** Whose key came with a request; kept beside the request, so that no header or body can pretend to it. */
const identities = new WeakMap<FastifyRequest, Authentication>();

/** Notes whose key came with this request. */
export function rememberIdentity(request: FastifyRequest, identity: Authentication): void {
  identities.set(request, identity);
}

/** Whose key came with this request; undefined on public routes, and before it was checked. */
export function identityOf(request: FastifyRequest): Authentication | undefined {
  return identities.get(request);
}
