#!/usr/bin/env node
import { ConfigurationError } from '../common/gateway-error.js';
import { reportFailure } from './failure.js';

/** What the service needs beyond what an application needs that only imports the module. */
const SERVICE_PACKAGES = '@nestjs/platform-fastify @nestjs/swagger @fastify/static fastify';

async function main(): Promise<void> {
  try {
    const { buildProgram } = await import('./program.js');
    await buildProgram().parseAsync(process.argv);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ERR_MODULE_NOT_FOUND')) throw error;
    throw new ConfigurationError(
      `The command line needs packages that are not installed; run: npm install ${SERVICE_PACKAGES}`,
      error,
    );
  }
}

main().catch((error: unknown) => {
  reportFailure(error);
  process.exit(1);
});
