import type { FastifyRequest } from 'fastify';
import { GatewayError } from '../../common/gateway-error.js';
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

/** The tenant's identity. @throws GatewayError `forbidden` on a route that is not a tenant's */
export function tenantIdentityOf(request: FastifyRequest): Extract<Authentication, { kind: 'tenant' }> {
  const identity = identityOf(request);
  if (identity?.kind === 'tenant') return identity;
  throw new GatewayError('forbidden', 'This needs a key of a tenant.');
}
