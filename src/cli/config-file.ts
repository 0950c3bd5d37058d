import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from 'yaml';
import { ConfigurationError } from '../common/gateway-error.js';
import {
  resolveGatewayOptions,
  type GatewayServerOptions,
  type ResolvedGatewayOptions,
} from '../gateway/gateway-options.js';
import { SERVICE_SCHEMA } from '../service-schema.js';
import type { Environment } from './environment.js';

/** The file, in the data directory, with which further processes join a running embedded cluster. */
const JOIN_FILE = 'shardgate.config.json';

/**
 * Reads a configuration file; JSON is YAML too.
 *
 * @throws ConfigurationError that names the file, the option and the fix
 */
export async function readConfigFile(path: string): Promise<GatewayServerOptions> {
  const options = parseConfig(await textOf(path), path);
  try {
    resolveGatewayOptions(options);
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    throw new ConfigurationError(`${path}: ${error.message}`, error);
  }
  return options;
}

/**
 * The servers that a command works on: those of `SHARDGATE_CONFIG`, else of the embedded cluster that runs on
 * the data directory.
 *
 * @throws ConfigurationError when there are neither
 */
export async function locateServers(environment: Environment): Promise<ResolvedGatewayOptions> {
  const path = environment.configFile ?? join(environment.dataDir, JOIN_FILE);
  if (environment.configFile === undefined && !existsSync(path)) {
    throw new ConfigurationError(
      `No cluster runs on ${environment.dataDir}; start one with "npx shardgate start", or name your servers in ` +
        'a file and give it as SHARDGATE_CONFIG.',
    );
  }
  return resolveGatewayOptions({ ...(await readConfigFile(path)), ...SERVICE_SCHEMA });
}

async function textOf(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    throw new ConfigurationError(
      `The configuration ${path} cannot be read; check SHARDGATE_CONFIG. An embedded cluster has its file only ` +
        'while it runs.',
      error,
    );
  }
}

/** The parser's own message may quote a line, and with it a password. */
function parseConfig(text: string, path: string): GatewayServerOptions {
  let parsed: unknown;
  try {
    parsed = parse(text);
  } catch (error) {
    throw new ConfigurationError(`${path} is neither JSON nor YAML; correct its syntax.`, error);
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) {
    throw new ConfigurationError(`${path} must hold an object with catalog and shards.`);
  }
  return parsed as GatewayServerOptions;
}
