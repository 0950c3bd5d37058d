import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { Logger } from 'pino';
import { AppModule } from '../app.module.js';
import type { GatewayServerOptions } from '../gateway/gateway-options.js';
import { createHttpApplication } from '../modules/http/http-application.js';
import { TenantDirectory } from '../modules/tenants/tenant-directory.js';
import { TenantStore } from '../modules/tenants/tenant-store.js';
import { makeFirstKeys, type FirstKeys } from './first-run.js';
import { explainListenFailure } from './free-port.js';
import { releaseVersion } from './release.js';

/** What one gateway process is started with. */
export interface ServiceOptions {
  readonly servers: GatewayServerOptions;
  readonly host: string;
  readonly port: number;
  readonly operatorKey: string | undefined;
  /** Whether a system without tenants gets the demo tenant. */
  readonly withDemo: boolean;
  readonly log: Logger;
}

/** One gateway process that listens. */
export interface RunningService {
  readonly url: string;
  readonly firstKeys: FirstKeys;
  /** Stops accepting, lets requests under way finish, closes every connection. */
  stop(): Promise<void>;
}

/** Connects to the servers, migrates them, and listens. @throws ConfigurationError that says what to do */
export async function startService(options: ServiceOptions): Promise<RunningService> {
  const { servers, log, operatorKey, withDemo } = options;
  const module = AppModule.with({ ...servers, log }, { log, operatorKey });
  const app = await createHttpApplication({ module, log, version: releaseVersion() });
  try {
    const firstKeys = await makeFirstKeys(app.get(TenantStore), { configuredKey: operatorKey, withDemo });
    await app.get(TenantDirectory).refresh();
    const url = await listen(app, options);
    return { url, firstKeys, stop: () => app.close() };
  } catch (error) {
    await app.close();
    throw error;
  }
}

async function listen(app: NestFastifyApplication, { host, port }: ServiceOptions): Promise<string> {
  try {
    await app.listen({ host, port });
  } catch (error) {
    throw explainListenFailure(error, host, port);
  }
  const address = app.getHttpServer().address();
  const actualPort = typeof address === 'object' && address !== null ? address.port : port;
  // A wildcard is no address to connect to; from this machine the loopback is.
  const reachable = host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host;
  return `http://${reachable.includes(':') ? `[${reachable}]` : reachable}:${actualPort}`;
}
