import { Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import type { FastifyRequest } from 'fastify';
import { GatewayError } from '../../common/gateway-error.js';
import { TenantDirectory, type Authentication } from '../tenants/tenant-directory.js';
import { ACCESS, type Access } from './access.js';
import { rememberIdentity } from './request-identity.js';

const BEARER = /^Bearer +([\x21-\x7e]{1,512}) *$/i;

/** Lets a request through when its key may call the route. A route that declares no access is closed to all. */
@Injectable()
export class AccessGuard implements CanActivate {
  readonly #reflector: Reflector;
  readonly #directory: TenantDirectory;

  constructor(reflector: Reflector, directory: TenantDirectory) {
    this.#reflector = reflector;
    this.#directory = directory;
  }

  /** @throws GatewayError `unauthenticated`, `forbidden` or `tenant_suspended` */
  async canActivate(context: ExecutionContext): Promise<boolean> {
    const targets = [context.getHandler(), context.getClass()];
    const access = this.#reflector.getAllAndOverride<Access | undefined>(ACCESS, targets);
    if (access === 'public') return true;
    const request = context.switchToHttp().getRequest<FastifyRequest>();
    const identity = await this.#authenticate(request.headers.authorization);
    assertMayCall(identity, access);
    rememberIdentity(request, identity);
    return true;
  }

  async #authenticate(header: string | undefined): Promise<Authentication> {
    const [, key] = BEARER.exec(header ?? '') ?? [];
    if (key === undefined) {
      throw new GatewayError('unauthenticated', 'Send a key: "Authorization: Bearer <key>".');
    }
    const identity = await this.#directory.authenticate(key);
    if (identity === undefined) {
      throw new GatewayError('unauthenticated', 'This key is not known; it may have been deleted.');
    }
    return identity;
  }
}

function assertMayCall(identity: Authentication, access: Access | undefined): void {
  if (identity.kind !== access) {
    const message =
      access === 'operator'
        ? "This needs the operator's key; a tenant's key does not reach administration."
        : "This needs a tenant's key; the operator's key reaches administration only.";
    throw new GatewayError('forbidden', message);
  }
  if (identity.kind === 'tenant' && identity.tenant.status === 'suspended') {
    throw new GatewayError(
      'tenant_suspended',
      'This tenant is suspended; its operator can make it active again.',
    );
  }
}
