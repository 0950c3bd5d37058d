import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { Logger } from 'pino';
import { AppModule } from '../app.module.js';
import { settledWithin } from '../common/settled-within.js';
import type { GatewayServerOptions } from '../gateway/gateway-options.js';
import { GatewayRuntime } from '../gateway/gateway-runtime.js';
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
  /** The keys that were made at this start; undefined while the catalog is away, which has to keep them. */
  readonly firstKeys: FirstKeys | undefined;
  /** The same as soon as they are made. Stays open where that never happens. */
  readonly awaitFirstKeys: Promise<FirstKeys>;
  /** Why the catalog cannot be used; undefined once the gateway has started with it. */
  readonly catalogFault: () => string | undefined;
  /** Stops accepting, lets requests under way finish, closes every connection. */
  stop(): Promise<void>;
}

/** How long the start waits for the first keys once the catalog is there. */
const KEYS_PATIENCE_MS = 10_000;

/**
 * Reaches for the servers, migrates them, and listens. A server that is away, be it the catalog, is served
 * when it is back.
 *
 * @throws ConfigurationError that says what to do
 */
export async function startService(options: ServiceOptions): Promise<RunningService> {
  const { servers, log, operatorKey: configuredKey, withDemo } = options;
  const module = AppModule.with({ ...servers, log }, { log, operatorKey: configuredKey });
  const app = await createHttpApplication({ module, log, version: releaseVersion() });
  const stopping = new AbortController();
  const stop = (): Promise<void> => {
    stopping.abort();
    return app.close();
  };
  try {
    const runtime = app.get(GatewayRuntime);
    const making = runtime.whenStarted.then(() =>
      makeFirstKeys(app.get(TenantStore), { configuredKey, withDemo, log, signal: stopping.signal }),
    );
    const areMade = runtime.isStarted && (await settledWithin(making, KEYS_PATIENCE_MS));
    const firstKeys = areMade ? await making : undefined;
    app.get(TenantDirectory).refreshSoon();
    const url = await listen(app, options);
    return {
      url,
      firstKeys,
      awaitFirstKeys: making,
      catalogFault: () => runtime.notStartedBecause,
      stop,
    };
  } catch (error) {
    await stop();
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
