import { setTimeout as sleep } from 'node:timers/promises';

const POLL_MS = 25;

/** Waits until `probe` gives something other than undefined or false, and resolves with it; errors count as not yet. */
export async function eventually<T>(
  what: string,
  probe: () => Promise<T | undefined | false> | T | undefined | false,
  timeoutMs = 20_000,
): Promise<T> {
  const deadline = performance.now() + timeoutMs;
  let lastError: unknown;
  do {
    try {
      const found = await probe();
      if (found !== undefined && found !== false) return found;
    } catch (error) {
      lastError = error;
    }
    await sleep(POLL_MS);
  } while (performance.now() < deadline);
  throw new Error(`It did not happen within ${timeoutMs} ms: ${what}`, { cause: lastError });
}
