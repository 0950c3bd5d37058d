import { GatewayError } from '../../common/gateway-error.js';

/**
 * A creation was so slow that somebody else settled its claim: the value is not its own any more. It makes
 * the row's transaction roll back, and the creation begins anew with another row id.
 */
export class ClaimLostError extends GatewayError {
  constructor(cause?: unknown) {
    super('overloaded', 'The creation took so long that its claim was given up; try again.', {
      cause,
      retryAfterSeconds: 1,
    });
  }
}
