import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { afterAll } from '@jest/globals';

const open: AnswerThief[] = [];

afterAll(() => {
  for (const thief of open) thief.close();
});

/**
 * Stands between a gateway and a server. It can take the server's next answer and break the connection: the
 * server has done what it was told, and nobody hears of it.
 */
export class AnswerThief {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #steals = false;
  #isShut = false;

  private constructor(target: { readonly host: string; readonly port: number }) {
    this.#server = createServer((client) => {
      if (this.#isShut) {
        client.destroy();
        return;
      }
      const server = connect(target);
      for (const socket of [client, server]) {
        this.#sockets.add(socket);
        socket.on('error', () => undefined);
        socket.on('close', () => {
          this.#sockets.delete(socket);
          client.destroy();
          server.destroy();
        });
      }
      client.pipe(server);
      server.on('data', (answer) => {
        if (!this.#steals) client.write(answer);
        else client.destroy();
      });
    });
  }

  /** @param url of the server. @returns the thief, and the url that leads through it */
  static async before(url: string): Promise<{ thief: AnswerThief; url: string }> {
    const changed = new URL(url);
    const thief = new AnswerThief({ host: changed.hostname, port: Number(changed.port) });
    open.push(thief);
    thief.#server.listen(0, '127.0.0.1');
    await once(thief.#server, 'listening');
    changed.port = String((thief.#server.address() as AddressInfo).port);
    return { thief, url: changed.href };
  }

  /** From now on every connection breaks with its next answer. @param shut whether new ones are refused, too */
  steal(shut = false): void {
    this.#steals = true;
    this.#isShut = shut;
  }

  /** Connections that are made from now on work again. */
  stop(): void {
    this.#steals = false;
    this.#isShut = false;
  }

  close(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }
}
