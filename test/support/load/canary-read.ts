import type { GatewayRuntime } from '../../../src/gateway/gateway-runtime.js';
import type { ReadOptions } from '../../../src/index.js';
import type { CanaryTenant, CanaryUser } from './canary-tenants.js';

/** In whose scope a read runs, and of whose rows it must show none. */
export interface CanaryScope {
  readonly runtime: GatewayRuntime;
  readonly tenant: CanaryTenant;
  /** The user in scope. */
  readonly user: CanaryUser;
  /** The tenant's other user, on the other shard. */
  readonly other: CanaryUser;
  /** A user of the same name on the same shard, of another tenant. */
  readonly foreign: CanaryUser;
  readonly from: ReadOptions;
}

/** One kind of read: what it showed, and what it must show, as canaries; their order does not matter. */
export interface CanaryRead {
  readonly kind: string;
  readonly run: (scope: CanaryScope) => Promise<readonly string[]>;
  readonly expected: (scope: CanaryScope) => readonly string[];
}

/** Runs one read in the scope of its caller. @returns what was wrong with it, as a line for people */
export async function faultOf(read: CanaryRead, scope: CanaryScope): Promise<string | undefined> {
  const seen = [...(await read.run(scope))].sort();
  const expected = [...read.expected(scope)].sort();
  if (seen.length === expected.length && seen.every((canary, index) => canary === expected[index])) {
    return undefined;
  }
  return `${read.kind} of ${scope.tenant.tenantId}/${scope.user.userId} showed ${seen.join(' ')}`;
}
