import { randomUUID } from 'node:crypto';
import { PayloadFormat } from './payload-format.js';

/**
 * Payloads that tell every process on a shard, the sender's own included, that anything there may have changed;
 * for whoever commits what others wrote and knows no rows of it.
 *
 * @param secret that of the shard's bus
 */
export function everythingPayloads(secret: string | undefined): readonly string[] {
  return new PayloadFormat(randomUUID(), secret).payloadsOf('everything', () => undefined);
}
