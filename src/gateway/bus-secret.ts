import { createHmac } from 'node:crypto';
import { parse } from 'pg-connection-string';

/**
 * The secret of a shard's bus. Tenants can log in to the shard, too: what they send is not believed, and what is
 * sent they cannot read.
 *
 * @param url of the shard's primary, with the gateway's own login
 */
export function busSecretOf(shardId: string, url: string): string {
  const { password } = parse(url);
  return createHmac('sha256', password ?? '')
    .update(`shardgate cache ${shardId}`)
    .digest('base64url');
}
