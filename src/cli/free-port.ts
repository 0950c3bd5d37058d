import { createServer } from 'node:net';
import { ConfigurationError } from '../common/gateway-error.js';

/** What to do about an address that cannot be listened on, by Node's error code. */
const REMEDIES: Readonly<Record<string, (host: string, port: number) => string>> = {
  EADDRINUSE: (host, port) =>
    `Port ${port} of ${host} is taken; choose another one: PORT=${port + 1} npx shardgate start (or --port ${port + 1}).`,
  EACCES: (_, port) => `Port ${port} needs more rights than this user has; choose one above 1023 with PORT.`,
  EADDRNOTAVAIL: (host) => `HOST=${host} is no address of this machine; 127.0.0.1 and 0.0.0.0 always are.`,
  ENOTFOUND: (host) => `HOST=${host} is no known name; 127.0.0.1 and 0.0.0.0 always work.`,
};

/** Fails early, before any server is started for nothing. @throws ConfigurationError that says what to do */
export async function assertCanListen(host: string, port: number): Promise<void> {
  const probe = createServer();
  try {
    await new Promise<void>((resolve, reject) => {
      probe.once('error', reject);
      probe.listen({ host, port, exclusive: true }, resolve);
    });
  } catch (error) {
    throw explainListenFailure(error, host, port);
  }
  await new Promise((resolve) => probe.close(resolve));
}

/** Why listening failed, as an error that says what to do. */
export function explainListenFailure(error: unknown, host: string, port: number): unknown {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const remedy = REMEDIES[code];
  return remedy === undefined ? error : new ConfigurationError(remedy(host, port), error);
}
