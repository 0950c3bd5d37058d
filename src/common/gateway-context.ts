import { AsyncLocalStorage } from 'node:async_hooks';
import { ScopeConflictError, ScopeMissingError, ValidationError, type FieldFault } from './gateway-error.js';
import { ACTOR_PATTERN, TENANT_ID_PATTERN, USER_ID_PATTERN } from './identifiers.js';
import { RequestTrace } from './request-trace.js';

/** On whose behalf something is done. */
export interface GatewayScope {
  /** The tenant whose data is touched; nothing of any other tenant is reachable. */
  readonly tenantId: string;
  /** The acting user, who is the shard key. Without it the tenant's service acts, for all its users. */
  readonly userId?: string | undefined;
  /** Who does it, for the audit log. */
  readonly actor: string;
}

/** A call chain: its scope, and what it read and wrote. */
interface ActiveScope {
  readonly scope: GatewayScope;
  readonly trace: RequestTrace;
}

const storage = new AsyncLocalStorage<ActiveScope>();

/**
 * The scope of the current call chain, carried by AsyncLocalStorage. Everything the gateway does reads it;
 * nothing has a default.
 */
export const GatewayContext = {
  /**
   * Runs `fn` with this scope. A nested call may change user and actor but never the tenant, and it shares
   * the outer call's trace, so that what it wrote is seen by what the outer call reads.
   *
   * @throws ValidationError when the scope is malformed
   * @throws ScopeConflictError when it would change the tenant
   */
  run<T>(scope: GatewayScope, fn: () => T): T {
    assertWellFormed(scope);
    const outer = storage.getStore();
    if (outer !== undefined && outer.scope.tenantId !== scope.tenantId) {
      throw new ScopeConflictError(
        'A nested scope may change the user, never the tenant; leave the outer scope first.',
      );
    }
    return storage.run({ scope: Object.freeze({ ...scope }), trace: outer?.trace ?? new RequestTrace() }, fn);
  },

  /** The scope of this call chain, or undefined outside of one. */
  current(): GatewayScope | undefined {
    return storage.getStore()?.scope;
  },

  /** The scope of this call chain. @throws ScopeMissingError outside of one */
  require(): GatewayScope {
    return GatewayContext.active().scope;
  },

  /** Scope and trace of this call chain. @throws ScopeMissingError outside of a scope */
  active(): ActiveScope {
    const active = storage.getStore();
    if (active === undefined) {
      throw new ScopeMissingError(
        'No tenant in scope; wrap the call in GatewayContext.run({ tenantId, … }).',
      );
    }
    return active;
  },

  /** The user of this call chain. @throws ScopeMissingError when there is none */
  requireUserId(): string {
    const { userId } = GatewayContext.require();
    if (userId === undefined) {
      throw new ScopeMissingError(
        'No user in scope; give userId to GatewayContext.run, or choose a route with forUser or onAllShards.',
      );
    }
    return userId;
  },

  /** What this call chain read and wrote, and where; undefined outside of a scope. */
  trace(): RequestTrace | undefined {
    return storage.getStore()?.trace;
  },
};

function assertWellFormed(scope: GatewayScope): void {
  const faults: FieldFault[] = [];
  if (!TENANT_ID_PATTERN.test(scope.tenantId)) {
    faults.push({ path: 'tenantId', message: 'must be a slug of lower-case letters, digits and hyphens' });
  }
  if (scope.userId !== undefined && !USER_ID_PATTERN.test(scope.userId)) {
    faults.push({ path: 'userId', message: `must match ${USER_ID_PATTERN.source}` });
  }
  if (!ACTOR_PATTERN.test(scope.actor)) {
    faults.push({ path: 'actor', message: 'must be 1 to 128 printable ASCII characters' });
  }
  if (faults.length > 0) throw new ValidationError(faults);
}
