import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';
import { ConfigurationError } from '../../common/gateway-error.js';

/** Below the ranges from which systems take the ports of outgoing connections, which could be in the way later. */
const PORT_MIN = 15_000;
const PORT_END = 32_000;
const ATTEMPTS_MAX = 200;

/**
 * A port of 127.0.0.1 that is free now and not in `taken`; the preferred one if it can be had. Somebody else
 * may still take it before it is used.
 */
export async function findFreePort(
  preferred: number | undefined,
  taken: ReadonlySet<number>,
): Promise<number> {
  if (preferred !== undefined && !taken.has(preferred) && (await isFree(preferred))) return preferred;
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt += 1) {
    const port = randomInt(PORT_MIN, PORT_END);
    if (!taken.has(port) && (await isFree(port))) return port;
  }
  throw new ConfigurationError(
    `No free port was found between ${PORT_MIN} and ${PORT_END} on 127.0.0.1; end what occupies them.`,
  );
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => {
      resolve(false);
    });
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => {
      server.close(() => {
        resolve(true);
      });
    });
  });
}
