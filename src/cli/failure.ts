import { GatewayError } from '../common/gateway-error.js';

/** Tells a person why a command failed: what to do about it, without a stack. */
export function reportFailure(error: unknown): void {
  console.error(`error: ${explain(error)}`);
}

function explain(error: unknown): string {
  if (error instanceof GatewayError) return error.message;
  if (!(error instanceof Error)) return 'Something unknown was thrown.';
  return `${error.message || error.name} (this was not expected; it may be a defect of Shardgate)`;
}
