import { readFileSync } from 'node:fs';
import type { GatewayServerOptions } from 'shardgate';

/** The catalog and the shards, from the JSON file that `SHARDGATE_CONFIG` names. */
export function readServers(): GatewayServerOptions {
  const path = process.env['SHARDGATE_CONFIG'];
  if (path === undefined) throw new Error('Set SHARDGATE_CONFIG to the file that names your servers.');
  return JSON.parse(readFileSync(path, 'utf8')) as GatewayServerOptions;
}
