/** How the process was asked to end. */
export type StopReason = NodeJS.Signals | 'failure';

const SIGNALS: readonly NodeJS.Signals[] = ['SIGINT', 'SIGTERM', 'SIGHUP'];

/** Exit code of a second Ctrl-C, as shells have it for SIGINT. */
const INTERRUPTED = 130;

/**
 * Resolves when the process is asked to end, or when something was thrown that nobody caught. A second signal
 * ends it at once: the embedded cluster's own watchdog then stops the servers.
 */
export function awaitStop(onUncaught: (error: unknown) => void): Promise<StopReason> {
  return new Promise((resolve) => {
    let asked = false;
    for (const signal of SIGNALS) {
      process.on(signal, () => {
        if (asked) process.exit(INTERRUPTED);
        asked = true;
        resolve(signal);
      });
    }
    const fail = (error: unknown): void => {
      onUncaught(error);
      resolve('failure');
    };
    process.on('uncaughtException', fail);
    process.on('unhandledRejection', fail);
  });
}
