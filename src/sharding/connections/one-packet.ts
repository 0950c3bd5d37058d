import type pg from 'pg';
import type { Duplex } from 'node:stream';

/** What of the driver's connection its published types leave out. */
interface Streaming {
  readonly stream: Duplex;
}

/**
 * Has what is sent over a client's connection in one turn leave at once: the driver would make a system call, and
 * wake the server, for each statement. The end of the turn is not waited for by anybody: it comes before any answer.
 */
export function sendInOnePacket(client: pg.Client): void {
  const connection = client.connection as pg.Connection & Streaming;
  const query = client.query.bind(client) as (...args: unknown[]) => unknown;
  let isHeldBack = false;
  const send = (...args: unknown[]): unknown => {
    if (!isHeldBack) {
      isHeldBack = true;
      const { stream } = connection;
      stream.cork();
      process.nextTick(() => {
        isHeldBack = false;
        stream.uncork();
      });
    }
    return query(...args);
  };
  client.query = send as typeof client.query;
}
