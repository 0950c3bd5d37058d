import { ShardUnavailableError } from '../../common/gateway-error.js';

/**
 * A replica does not know a tenant's login yet, or knows it in a state that cannot be used. The primary does
 * or can be told to: whoever chose the replica asks the primary instead.
 */
export class TenantLoginUnavailableError extends ShardUnavailableError {
  constructor(nodeId: string, cause?: unknown) {
    super(nodeId, 'it cannot log in for this tenant yet; ask the primary.', cause);
  }
}
